"""The differences between the versions of uvicorn that a service may ask for, from 0.29 on."""

import asyncio
import importlib.util
from collections.abc import Callable, Iterable

from uvicorn import Config, config
from uvicorn.lifespan.on import LifespanOn

#: The names of event loops. Before 0.36, uvicorn set loops up in the process instead of making them.
LOOPS: Iterable[str] = vars(config).get("LOOP_FACTORIES") or vars(config)["LOOP_SETUPS"]


def loop_factory(settings: Config) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the maker of the loop that the configuration names; None for asyncio's own.

    Raises ImportError if the loop's package is not installed.
    """
    if hasattr(settings, "get_loop_factory"):
        return settings.get_loop_factory()
    if settings.loop == "uvloop" or (settings.loop == "auto" and importlib.util.find_spec("uvloop") is not None):
        import uvloop  # late: it may not be installed

        return uvloop.new_event_loop
    return None


def app_has_raised(lifespan: LifespanOn) -> bool:
    """Return true if the app raised in its lifespan. Older versions spell that in another way."""
    return bool(getattr(lifespan, "error_occurred", False) or getattr(lifespan, "error_occured", False))
