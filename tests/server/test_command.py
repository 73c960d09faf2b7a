"""The command of `--serve` as the user writes it: plain values."""

import errno
from pathlib import Path

import pytest

from bench.server.command import CommandError, ServeCommand, no_start


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("node server.js {port}", ["node", "server.js", "4000"]),
        (".venv/bin/uvicorn chat:app --host {host} --port={port}", None),
        ("node -e 'console.log({a: 1}, $x)' {port}", ["node", "-e", "console.log({a: 1}, $x)", "4000"]),
        ('serve "my folder" --config={}', ["serve", "my folder", "--config={}"]),
        (r"serve my\ folder", ["serve", "my folder"]),
        # What follows needs a shell.
        ("cd server && node index.js", ["/bin/sh", "-c", "cd server && node index.js"]),
        ("DEBUG=1 node server.js {port}", ["/bin/sh", "-c", "DEBUG=1 node server.js 4000"]),
        ("node server.js $PORT", ["/bin/sh", "-c", "node server.js $PORT"]),
        ('node "$HOME/server.js" {port}', ["/bin/sh", "-c", 'node "$HOME/server.js" 4000']),
        ("serve 2>&1 | tee {port}.log", ["/bin/sh", "-c", "serve 2>&1 | tee 4000.log"]),
        ("serve ~/chat", ["/bin/sh", "-c", "serve ~/chat"]),
        ("exec serve {port}", ["/bin/sh", "-c", "exec serve 4000"]),
        (". ./start.sh", ["/bin/sh", "-c", ". ./start.sh"]),
    ],
)
def test_arguments(command: str, arguments: list[str] | None) -> None:
    expected = arguments or [".venv/bin/uvicorn", "chat:app", "--host", "127.0.0.1", "--port=4000"]
    assert ServeCommand(command).arguments(4000) == expected


@pytest.mark.parametrize(
    ("ready_url", "is_tls", "url", "asked"),
    [
        (None, False, "http://127.0.0.1:4000", None),
        (None, True, "https://localhost:4000", None),
        ("/health?deep=1", False, "http://127.0.0.1:4000", "http://127.0.0.1:4000/health?deep=1"),
        ("/health", True, "https://localhost:4000", "https://localhost:4000/health"),
        ("https://chat.local:{port}/up", False, "https://chat.local:4000", "https://chat.local:4000/up"),
        ("http://127.0.0.1:9000/admin", False, "http://127.0.0.1:4000", "http://127.0.0.1:9000/admin"),
    ],
)
def test_urls(ready_url: str | None, is_tls: bool, url: str, asked: str | None) -> None:
    command = ServeCommand("serve {port}", ready_url=ready_url, is_tls=is_tls)
    assert (command.url("127.0.0.1", 4000), command.ready_at(url, 4000)) == (url, asked)


@pytest.mark.parametrize(
    ("command", "ready_url", "reason"),
    [
        (" ", None, "there is no command"),
        ("node 'server.js", None, "node 'server.js: no closing quotation"),
        ("serve", "health", "give a path such as /health"),
        ("serve", "ftp://127.0.0.1/", "or a whole http:// or https:// URL, not 'ftp://127.0.0.1/'"),
        ("serve", "http://:{port}/", "give a path"),
    ],
)
def test_what_cannot_be(command: str, ready_url: str | None, reason: str) -> None:
    with pytest.raises(CommandError) as refused:
        ServeCommand(command, ready_url=ready_url)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("API_TOKEN=abc node server.js {port}", "API_TOKEN=... node server.js {port}"),
        ("serve --password 'a b' --port {port}", "serve --password ... --port {port}"),
        ("serve --db=postgres://me:pw@db/chat", "serve --db=postgres://...@db/chat"),
        ("serve --key given", "serve --key ***"),
        ("token-server {port}", "token-server {port}"),
        ("python -m token_server --port {port}", "python -m token_server --port {port}"),
    ],
)
def test_secrets_are_not_shown(command: str, shown: str) -> None:
    assert ServeCommand(command, hide=lambda text: text.replace("given", "***")).shown == shown


def test_why_a_program_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/nowhere/python\n")
    reasons = {
        ("uvicorn", errno.ENOENT): "there is no program 'uvicorn' on the PATH",
        ("./script", errno.ENOENT): "that is not there: #!/nowhere/python",
        ("./missing", errno.ENOENT): f"there is no file {tmp_path}/missing",
        ("./script", errno.EACCES): "is not executable: `chmod +x` it",
        (str(tmp_path), errno.EACCES): "is a folder, and no program",
        ("./script", errno.ENOEXEC): "its first line has no #! with an interpreter",
        ("node", errno.E2BIG): "node cannot be run: argument list too long",
    }
    for (program, number), reason in reasons.items():
        assert reason in no_start(program, tmp_path, number, "Argument list too long")
