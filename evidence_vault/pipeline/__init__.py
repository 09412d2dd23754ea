"""The pipeline: the story of an item, one stage a module; each says what a crash means."""
