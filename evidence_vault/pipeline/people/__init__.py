"""People: who is added, gets a role, or opens what nobody let him in to, mostly by two administrators."""
