"""The one exception a user is meant to read."""


class W2SError(ValueError):
    """Something the user can mend: says what was found, what was expected and what to type.

    ``tools/train.py`` prints its message without a traceback.
    """
