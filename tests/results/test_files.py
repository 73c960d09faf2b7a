"""Files that are written whole, or left as they were."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.results.files import NotAFileError, read_file, write_whole


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(path, chunks())
    assert path.read_bytes() == b"before"
    write_whole(path, [b"af", b"ter"])
    assert path.read_bytes() == b"after"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", [b"after"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, [b"through ", b"it"])
    reader.join(10)
    assert read == [b"through it"]
    assert pipe.is_fifo()


def test_a_pipe_that_nobody_reads_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.results.files._READER_WAIT_S", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="nobody reads this pipe"):
        write_whole(pipe, [b"x"])


def test_only_files_are_read_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for path, kind in (
        *((tmp_path / "pipe", "a pipe"), (tmp_path / "link", "a pipe"), (tmp_path / "socket", "a socket")),
        *((Path("/dev/zero"), "a device"), (Path("/dev/tty"), "a device")),
    ):
        with pytest.raises(NotAFileError, match=f"{kind}, not a file"):
            read_file(path)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)


def test_a_file_that_is_larger_than_any_result(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # which takes no room on the disk
    with pytest.raises(OSError, match="larger than 1,073,741,824 bytes") as caught:
        read_file(path)
    assert caught.value.errno == errno.EFBIG
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_file(path, 4)
