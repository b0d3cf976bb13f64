"""The exception for errors that a user can fix."""


class W2SError(ValueError):
    """An error that the user can fix.

    The message states what was found, what was expected and what to do. ``w2s`` prints it without a
    traceback.
    """
