"""The errors of storing, finding and reading results. They are apart because every command knows them."""


class ResultError(Exception):
    """A result that cannot be stored, found or read. Its text is one line for the user."""


class NotStoredError(ResultError):
    """A failure to store a result that was measured: no misuse, but a failed run."""
