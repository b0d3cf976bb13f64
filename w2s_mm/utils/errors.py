"""The exception for errors that a user can fix."""

LONGEST = 4000  # characters


class W2SError(ValueError):
    """An error that the user can fix.

    The message states what was found, what was expected and what to do. ``w2s`` prints it without a
    traceback. What a message quotes of a file may be very long: the middle of it is left out.
    """

    def __str__(self) -> str:
        message = super().__str__()
        return message if len(message) <= LONGEST else f'{message[:3000]} [...] {message[-500:]}'
