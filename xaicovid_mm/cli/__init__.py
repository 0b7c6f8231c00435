"""The commands: what ``tools/`` and the console call."""
