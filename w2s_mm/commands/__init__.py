"""What the command-line tools do: read a config, check it, run it."""
