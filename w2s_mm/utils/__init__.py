"""What every room uses: errors, files, random state, checkpoints, and MMEngine's internals."""
