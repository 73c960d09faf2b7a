"""Node, as the environment brings it, with the official Socket.IO packages: `make test` installs them here."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.folders import NODE


@dataclass(frozen=True)
class NodeServer:
    url: str
    #: Node's own, where the script tells it: `process` may be a launcher of it.
    pid: int | None
    process: subprocess.Popen[str]


def node_command(*arguments: str) -> list[str]:
    """Return the command that runs Node in the folder NODE."""
    for package in ("socket.io", "socket.io-client"):
        assert (NODE / "node_modules" / package).is_dir(), f"run the tests with `make test`, which installs {package}"
    node = Path(sys.executable).with_name("node")
    return [str(node) if node.exists() else shutil.which("node") or "node", *arguments]


@contextmanager
def node_server(script: str, *arguments: str) -> Iterator[NodeServer]:
    """Yield a server that prints its port as JSON and ends with its standard input, at the latest with the block."""
    command = node_command(script, *arguments)
    with subprocess.Popen(command, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield NodeServer(f"http://127.0.0.1:{told['port']}", told.get("pid"), process)
        finally:
            process.stdin.close()
            process.kill()
