"""The part of this project that every pytest session has in which it is installed: fixtures, and `pytest bench`.

Rules of this file: it imports nothing of the project, but inside a fixture. So it costs a session that does not use it
next to nothing. It adds settings and markers whose names begin with `socketio_`, and no option to the command line.

- The fixtures serve the project's own Socket.IO application to its tests: docs/testing.md.
- `pytest bench` finds the installed benchmarks in any folder. Where the folder has a `bench` of its own, that is meant,
  and `pytest --pyargs bench` means the installed benchmarks.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.testing.benchmarking import RoundTripBenchmark
    from bench.testing.left_open import Guards
    from bench.testing.openings import OpenClient, OpenServer

_NAME = "bench"
_HERE = Path(__file__).with_name(_NAME)
_IS_OURS = pytest.StashKey[bool]()
_ADDED_TO_PATH = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Have pytest take the name for the installed package's, and read the package's options in time."""
    known = early_config.known_args_namespace
    named = known.file_or_dir
    if _NAME not in named or (not known.pyargs and (early_config.invocation_params.dir / _NAME).exists()):
        return
    # By itself, pytest takes `--pyargs` into account when it collects, and that is after it has read the options.
    args.insert(0, "--pyargs")
    early_config.stash[_IS_OURS] = True
    named[:] = [str(_HERE) if name == _NAME else name for name in named]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the setting that names the project's app."""
    parser.addini("socketio_app", "ASGI app that socketio_server serves, as module:attribute", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and have the app found in the folder of the settings.

    For the benchmarks, keep pytest-asyncio from warning about its settings, which they have no use for.
    """
    config.addinivalue_line("markers", "socketio_app(app): ASGI app that socketio_server serves in this test")
    folder = str(_folder(config))
    if config.getini("socketio_app") and folder not in sys.path:
        # `python -m pytest` finds modules there, and `pytest` does not. It comes last, so that it hides nothing.
        sys.path.append(folder)
        config.stash[_ADDED_TO_PATH] = folder
    if config.stash.get(_IS_OURS, False):
        warnings.filterwarnings("ignore", ".*asyncio_default_fixture_loop_scope", pytest.PytestDeprecationWarning)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return a line about the installed benchmarks, if a folder of the project has the name that was typed."""
    folder = config.invocation_params.dir / _NAME
    is_named = _NAME in getattr(config.option, "file_or_dir", ()) and not config.option.pyargs
    if not is_named or not folder.exists() or folder.resolve() == Path(__file__).with_name(_NAME).resolve():
        return None
    return "socketio-bench: bench is this project's own; `bench latency` runs the installed benchmarks"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the path back as it was."""
    folder = config.stash.get(_ADDED_TO_PATH, None)
    if folder in sys.path:
        sys.path.remove(folder)


@pytest.fixture
def socketio_app(request: pytest.FixtureRequest) -> Any:
    """Return the app of this test: that of the marker, or of the setting `socketio_app`. A project may override it."""
    return _marked(request) or request.config.getini("socketio_app") or None


@pytest.fixture
def socketio_server(request: pytest.FixtureRequest, socketio_app: Any, _socketio_opened: Guards) -> OpenServer:
    """Serve the app on a free port, in the loop of the test: `async with socketio_server() as server`.

    `server.url` and `server.app` are what their names say. `socketio_server(app)` serves another app. Keywords are
    those of uvicorn's configuration.
    """
    from bench.testing.openings import ServerOpening

    given = _marked(request) or socketio_app

    def serve(app: Any = None, **config: Any) -> ServerOpening:
        return ServerOpening(_socketio_opened, _named(app or given), config)

    return serve


@pytest.fixture
def socketio_client(_socketio_opened: Guards) -> OpenClient:
    """Connect a client to a server or URL: `async with socketio_client(server, auth={…}) as client`.

    The keywords are the fields of a Connection, and `namespace`. A Connection can be given as well.
    """
    from bench.testing.openings import ClientOpening

    def connect(server: Any, connection: Any = None, **settings: Any) -> ClientOpening:
        return ClientOpening(_socketio_opened, server, connection, settings)

    return connect


@pytest.fixture
def round_trip() -> Callable[..., Any]:
    """Emit an event, wait for what answers it, and return what that carries.

    `await round_trip(client, "say", {"text": "hi"}, reply="said", timeout=5)`. Without `reply` the acknowledgement is
    awaited. A RoundTrip can be given instead of the event.
    """
    _check_installed()
    from bench.testing.round_trip import round_trip

    return round_trip


@pytest.fixture
def socketio_benchmark(request: pytest.FixtureRequest, socketio_app: Any, benchmark: Any) -> RoundTripBenchmark:
    """Measure a round trip with the app as `pytest bench` does: `socketio_benchmark(RoundTrip(…), effort="quick")`.

    The test is a plain function. The figures go to pytest-benchmark's table, and are returned.
    """
    _check_installed()
    from bench.testing.benchmarking import RoundTripBenchmark

    return RoundTripBenchmark(request.config, benchmark, _marked(request) or socketio_app, _folder(request.config))


@pytest.fixture
def _socketio_opened(request: pytest.FixtureRequest) -> Iterator[Guards]:
    """Yield the guards of what the test opens; at the end close what it left open, with a warning."""
    _check_installed()
    from bench.testing.left_open import Guards

    guards = Guards(request.node.addfinalizer)
    yield guards
    for name in guards.close():
        request.node.warn(pytest.PytestWarning(f"left open, and closed now: {name}; open it by `async with`"))


def _marked(request: pytest.FixtureRequest) -> Any:
    """Return the app that the test is marked with; None without a marker."""
    marker = request.node.get_closest_marker("socketio_app")
    if marker is None:
        return None
    if len(marker.args) != 1 or marker.kwargs:
        pytest.fail('the marker socketio_app takes the app alone: @pytest.mark.socketio_app("chat:app")', pytrace=False)
    return marker.args[0]


def _named(app: Any) -> Any:
    """Return the app. Fail if there is none."""
    if app is None:
        pytest.fail(
            "socketio_server does not know the app: put `socketio_app = chat:app` into pytest's settings, mark the "
            'test with @pytest.mark.socketio_app("chat:app"), define a fixture socketio_app, or call '
            "socketio_server(app)",
            pytrace=False,
        )
    return app


def _folder(config: pytest.Config) -> Path:
    """Return the folder of pytest's settings."""
    return config.rootpath if config.inipath is None else config.inipath.parent


def _check_installed() -> None:
    """Fail in one line if a folder of the project hides the installed package."""
    found = find_spec(_NAME)
    places = [] if found is None else list(found.submodule_search_locations or ())
    if [Path(place).resolve() for place in places] != [_HERE.resolve()]:
        pytest.fail(
            f"{places[0] if places else _NAME} hides the installed package {_NAME}, which the fixtures of "
            "socketio-bench need: rename that folder, remove its __init__.py, or, if no test is in it, run `pytest` "
            "and not `python -m pytest`",
            pytrace=False,
        )
