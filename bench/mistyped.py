"""The name that a mistyped one may stand for. Imports nothing of the project."""

from collections.abc import Iterable

#: The similarity from which on a name is near to another, as difflib has it, from 0 to 1.
_NEAR = 0.6


def nearest(name: str, known: Iterable[str], near: float = _NEAR) -> str | None:
    """Return the known name that a mistyped name may stand for; None if none is near.

    `near` is the similarity from which on a name is near, from 0 to 1.
    """
    import difflib  # late: it is needed for a mistake alone

    found = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=near)
    return found[0] if found else None


def unknown_option(option: str, known: Iterable[str]) -> str:
    """Return the words about an option that does not exist, with the nearest that does."""
    name = option.partition("=")[0]
    near = nearest(name, known)
    return f"no such option: {name}" + (f"; did you mean {near}?" if near else "")
