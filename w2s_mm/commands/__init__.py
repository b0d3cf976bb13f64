"""What ``w2s`` does: one file for each command, and what they share."""
