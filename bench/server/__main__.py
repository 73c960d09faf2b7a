"""The launcher that runs in the process of a `ServerProcess`; not meant to be started by hand.

It reports once over the channel: that it serves, or why it does not. It ends when its owner asks (SIGTERM) or is gone
(end of the channel's stream), whatever the app is doing then.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import site
import socket
import sys
import sysconfig
import threading
import time
import traceback
from pathlib import Path

# From the interpreter's own environment, which may lack this project.
from uvicorn.config import LOGGING_CONFIG

# Run by path: nothing else of this project may come first on the path that the app is imported from.
sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.machine.descriptors import raise_file_limit
from bench.machine.system import can_pin
from bench.server.error import ServerError, UnservableError, one_line
from bench.server.in_loop import UvicornTestServer
from bench.server.options import ServerOptions
from bench.server.process import Report
from bench.server.uvicorn_versions import loop_factory

sys.path[0] = str(Path.cwd())

OWN_MODULES = frozenset(sys.modules)

#: The time to shut down in order, in seconds, once the owner is gone.
ORPHAN_TIMEOUT_S = 3.0


def main() -> int:
    """Serve until a stop; return the exit code: 0 after a stop, 1 if the server did not start or died."""
    options = _options()
    raise_file_limit()  # each client is a file, and the starting process may have the lower limit
    channel = socket.socket(fileno=options.channel)
    channel.set_inheritable(False)
    channel.setblocking(True)  # an owner that gevent patched has made it non-blocking, for both of its ends
    threading.Thread(target=_end_with_owner, args=[channel], daemon=True).start()
    try:
        if isinstance(options.options.core, int):
            _pin(options.options.core)
        _run(options, channel)
    except ServerError as failure:
        # Into the log first: once it has the report, the owner waits no longer.
        if failure.__cause__ is not None:
            traceback.print_exception(failure.__cause__)
        print(failure, file=sys.stderr)  # noqa: T201 - the log
        with contextlib.suppress(OSError):
            report = Report(error=str(failure), is_unservable=isinstance(failure, UnservableError))
            channel.sendall(report.encoded())
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--options", type=ServerOptions.decoded, required=True)
    for name in ("app", "host", "log-level"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def _pin(core: int) -> None:
    if not can_pin():
        raise ServerError(f"core={core}: processes cannot be pinned on {sys.platform}; use core=None")
    try:
        os.sched_setaffinity(0, {core})
    except (OSError, ValueError, OverflowError) as cause:
        cores = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ServerError(f"core={core} cannot be used here: use one of {cores}, or None") from cause


def _run(options: argparse.Namespace, channel: socket.socket) -> None:
    server = UvicornTestServer(
        options.app,
        host=options.host,
        port=options.port,
        **options.options.uvicorn,
        log_config=LOGGING_CONFIG,
        log_level=options.log_level,
        start_timeout_s=1e9,  # the owner has a limit of its own
    )
    try:
        factory = loop_factory(server.config)
    except (ImportError, SystemExit) as cause:
        raise ServerError(f"loop={options.options.loop!r} cannot be used: {one_line(cause)}") from cause
    with asyncio.Runner(loop_factory=factory) as runner, contextlib.suppress(asyncio.CancelledError):
        runner.run(_serve(server, channel))


async def _serve(server: UvicornTestServer, channel: socket.socket) -> None:
    serving = asyncio.current_task()
    assert serving is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    async with server:
        channel.sendall(Report(server.port, app_file=_app_file(server.name), files=_files()).encoded())
        with contextlib.suppress(asyncio.CancelledError):
            await server.join()


def _app_file(app: str) -> str:
    file = getattr(sys.modules.get(app.partition(":")[0]), "__file__", None)
    return str(Path(file).resolve()) if file else ""


def _files() -> list[str]:
    """Return the files of the app's modules, but for those in the interpreter's folders or its environment's."""
    installed = {Path(path).resolve() for path in (*sysconfig.get_paths().values(), *site.getsitepackages())}
    files = {getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if name not in OWN_MODULES}
    paths = (Path(file).resolve() for file in files if file)
    return sorted(str(path) for path in paths if installed.isdisjoint(path.parents))


def _end_with_owner(channel: socket.socket) -> None:
    """End this process when its owner is gone.

    It runs in a thread, because the app may block the loop, or its own import, at that moment.
    """
    with contextlib.suppress(OSError):
        while channel.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_TIMEOUT_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
