"""The one exception a user is meant to read."""


class W2SError(ValueError):
    """An error that the user can fix: what was found, what was expected, and what to type.

    ``w2s`` prints its message without a traceback.
    """
