"""A TCP proxy that does harm: it delays, drops, truncates, stalls and refuses, and knows what it broke.

It runs in a thread of its own. All that is drawn while it runs is drawn from its seed. The machine decides which
connections there are at a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

_CHUNK_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: the connection ends with RST

T = TypeVar("T")

#: The data that is on its way, and when it is due; None at its end.
Chunks = asyncio.Queue[tuple[float, bytes] | None]


@dataclass
class Broken:
    """The harm that was done: connections that were ended, and bytes that never arrived of what was cut."""

    connections: int = 0
    cut_bytes: int = 0
    accepted: int = 0


class _Pair:
    """A client's connection and the connection that was made for it to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.writers = client, server
        self.is_to_be_truncated = False

    def end(self, reset: bool) -> None:
        for writer in self.writers:
            if reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """A proxy on a port of 127.0.0.1, in front of the server's port, for as long as its `with` block lasts."""

    def __init__(self, server_port: int, seed: str, delay_s: float = 0.0, jitter_s: float = 0.0) -> None:
        self.port = 0
        self.broken = Broken()
        self._server_port = server_port
        self._random = random.Random(seed)
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The URL to which its clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ------------------------------------------------------------------ the harm

    def drop(self, share: float) -> int:
        """End that share of the connections at once, half of them with RST; return how many."""
        return self._call(self._drop, share)

    def truncate(self, share: float) -> int:
        """Cut the next chunk of that share of the connections in the middle, then close them; return how many."""
        return self._call(self._truncate, share)

    def stall(self) -> None:
        """Forward nothing; connections are still accepted."""
        self._call(self._flowing.clear)

    def flow(self) -> None:
        """Forward what was held back, and go on."""
        self._call(self._flowing.set)

    def refuse(self) -> None:
        """Refuse new connections; those that are there stay."""
        self._run(self._unlisten())

    def accept(self) -> None:
        """Accept new connections again, on the same port."""
        self._run(self._listen())

    # ------------------------------------------------------------------ in its thread

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        async def called() -> T:
            return function(*arguments)

        return self._run(called())

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)

    async def _close(self) -> None:
        await self._unlisten()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broken.accepted += 1
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:  # the server is away
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        pair = _Pair(writer, server_writer)
        self._pairs.add(pair)
        ways = [(reader, server_writer), (server_reader, writer)]
        both = [self._loop.create_task(self._forward(pair, source, target)) for source, target in ways]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in both:
                way.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._pairs.discard(pair)
            pair.end(reset=False)

    async def _forward(self, pair: _Pair, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forward the data of one way of a connection, to its end."""
        chunks: Chunks = asyncio.Queue()
        reading = self._loop.create_task(self._read(source, chunks))
        try:
            while (chunk := await chunks.get()) is not None:
                due_s, data = chunk
                if (left_s := due_s - self._loop.time()) > 0:
                    await asyncio.sleep(left_s)
                await self._flowing.wait()
                if pair.is_to_be_truncated:
                    pair.is_to_be_truncated = False  # data that was cut and comes back is not cut again
                    target.write(data[: len(data) // 2])
                    self.broken.connections += 1
                    self.broken.cut_bytes += len(data) - len(data) // 2
                    return
                target.write(data)
                await target.drain()
        except OSError:  # either end is gone
            pass
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, source: asyncio.StreamReader, chunks: Chunks) -> None:
        try:
            while data := await source.read(_CHUNK_BYTES):
                delay_s = self._delay_s + self._random.uniform(0, self._jitter_s)
                chunks.put_nowait((self._loop.time() + delay_s, data))
        except OSError:
            pass
        finally:
            chunks.put_nowait(None)

    def _some(self, share: float) -> list[_Pair]:
        return [pair for pair in self._pairs if self._random.random() < share]

    def _drop(self, share: float) -> int:
        dropped = self._some(share)
        for pair in dropped:
            pair.end(reset=self._random.random() < 0.5)
        self.broken.connections += len(dropped)
        return len(dropped)

    def _truncate(self, share: float) -> int:
        truncated = self._some(share)
        for pair in truncated:
            pair.is_to_be_truncated = True
        return len(truncated)
