"""A git repository with a small Socket.IO service, to compare revisions of."""

import os
import subprocess
from pathlib import Path

SERVICE = """
import time

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


@sio.on("say")
async def say(sid, data):
    until = time.perf_counter() + {busy_s}
    while time.perf_counter() < until:
        pass
    await sio.emit("said", data, to=sid)
    return data
"""

#: Options that tell `bench` of the service.
OPTIONS = ("--app", "chat:app", "--event", "say", "--reply", "said", "--payload", '{"id": "{token}"}')


class TestRepository:
    """A repository in `folder` with one commit: the service without delay, tagged `quick`."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        # Wherever Python may write bytecode, serving the checkout itself leaves some there.
        information = folder / ".git" / "info"
        information.mkdir(exist_ok=True)
        (information / "exclude").write_text("__pycache__/\n")
        self.commit("quick", {"chat.py": SERVICE.format(busy_s=0)})

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example", *arguments],
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
            | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def commit(self, tag: str, files: dict[str, str]) -> str:
        """Commit these files, and set a tag on the commit; return its hash."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", tag)
        self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def worktrees(self) -> list[str]:
        """Return the paths of the worktrees other than the checkout."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        paths = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
        return [path for path in paths if Path(path).resolve() != self.folder.resolve()]
