"""Shared helpers: errors, files, random state, checkpoints, and MMEngine's internals."""
