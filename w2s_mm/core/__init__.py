"""The method itself. Imports no task and no MM package of a task."""
