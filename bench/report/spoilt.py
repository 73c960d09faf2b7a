"""The words for the figures that a saturated generator has spoilt, and for those that it has not."""

from collections.abc import Sequence

from bench.results.load import Spoilt


def spoilt(spoils: Sequence[Spoilt]) -> str:
    """Return which figures a saturated generator has spoilt, and that the service times are true if they are."""
    if not spoils or "service times" in spoils:
        return "the figures are the generator's, not the service's"
    figures = " and ".join(f"the {name}" for name in spoils)
    verb = "is" if tuple(spoils) == ("throughput",) else "are"
    others = "other service times" if "times by the process's clock" in spoils else "service times"
    return f"{figures} {verb} the generator's, not the service's; the {others} are true"
