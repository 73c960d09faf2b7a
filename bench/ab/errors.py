"""The errors that say why two revisions cannot be compared, in one line for the user."""


class AbError(Exception):
    """A request that makes no sense here: an unknown revision, a revision without the app, a bad number."""


class AbFailedError(AbError):
    """A request that makes sense, and failed: a service does not start, does not answer, or dies."""
