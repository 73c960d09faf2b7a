"""The error of comparing stored results. It is apart because the command line knows it before anything is compared."""


class IncomparableError(Exception):
    """Results between which nothing can be compared. Its text is one line for the user."""
