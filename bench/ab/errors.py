"""Why two revisions cannot be compared, in one line for the user."""


class AbError(Exception):
    """What was asked for makes no sense here: a revision that is not known, one without the app, a bad number."""


class AbFailedError(AbError):
    """What was asked for makes sense, and failed: a service that does not start, does not answer, or dies."""
