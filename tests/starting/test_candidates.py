"""The search for applications in a folder, which imports nothing."""

from pathlib import Path

import pytest

from bench.starting.candidates import candidates

APP = "import socketio\nsio = socketio.AsyncServer()\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"{APP}app = socketio.ASGIApp(sio)", ["app"]),
        (f"{APP}app: object = socketio.ASGIApp(sio)", ["app"]),
        ("from socketio import ASGIApp\nserved = ASGIApp(sio, other)", ["served"]),
        (f"{APP}app = CORS(socketio.ASGIApp(sio), origins=[])", ["app"]),
        (f"{APP}inner = socketio.ASGIApp(sio)\napp = CORS(app=inner)", ["app"]),
        (f"{APP}app = FastAPI()\napp.mount('/ws', socketio.ASGIApp(sio))", ["app"]),
        (f"{APP}inner = socketio.ASGIApp(sio)\napp = FastAPI()\napp.mount('/ws', app=inner)", ["app"]),
        (f"{APP}a = socketio.ASGIApp(sio)\nb = socketio.ASGIApp(sio)", ["a", "b"]),
        ("def make():\n    return socketio.ASGIApp(sio)", []),
        ("# socketio.ASGIApp(\nthis is no Python", []),
        ("print('socketio.ASGIApp(sio)')", []),
    ],
)
def test_the_applications_of_a_module(tmp_path: Path, source: str, found: list[str]) -> None:
    (tmp_path / "chat.py").write_text(source)
    assert candidates(tmp_path) == [f"chat:{name}" for name in found]


def test_modules_have_their_packages_names_and_others_folders_are_left_out(tmp_path: Path) -> None:
    for path in (
        "service/live/main.py", "service/__init__.py", "src/chat.py", "node_modules/x.py", "tests/app.py", ".venv/x.py",
        "env2/x.py", "test_chat.py", "no-module.py",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("import socketio\napp = socketio.ASGIApp(1)\n")
    (tmp_path / "env2" / "pyvenv.cfg").touch()
    assert candidates(tmp_path) == ["service:app", "service.live.main:app", "src.chat:app"]
