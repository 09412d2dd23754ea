"""The composition root: from settings to a vault that runs. Everything is put together here and nowhere else."""
