"""The program of the peer `asyncclient`: python-socketio's client, one task per connection, on uvloop.

    python async_client_loop.py URL CONNECTIONS

It runs until SIGTERM, and then prints a line of JSON. A reply resolves the emission whose token it carries. If RECORDS
names a file, it gets a line for each round trip: the token, and when it was sent and received in nanoseconds. With
PERIOD_US, a connection sends no earlier than so many microseconds after it sent last.
"""

import asyncio
import json
import os
import signal
import sys
from array import array
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import socketio
import uvloop

_CONNECTING_AT_ONCE = 50
_PERIOD_NS = round(float(os.environ.get("PERIOD_US", "0")) * 1000)


async def _work(
    url: str, number: int, turn: asyncio.Semaphore, times_ns: "array[int]", records: list[str] | None
) -> None:
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    pending: dict[str, asyncio.Future[None]] = {}

    def bar(reply: dict[str, Any]) -> None:
        pending.pop(reply["foo"]).set_result(None)

    client.on("BAR", bar)
    async with turn:
        await client.connect(url, transports=["websocket"], wait_timeout=30)
    loop = asyncio.get_running_loop()
    for emission in count():
        token = f"rt-ac-{number}-{emission}"
        pending[token] = answer = loop.create_future()
        sent_ns = perf_counter_ns()
        await client.emit("FOO", {"name": token, "to": "sender"})
        await answer
        received_ns = perf_counter_ns()
        times_ns.append(received_ns - sent_ns)
        if records is not None:
            records.append(f"{token} {sent_ns} {received_ns}\n")
        if (early_ns := sent_ns + _PERIOD_NS - received_ns) > 0:
            await asyncio.sleep(early_ns / 1e9)


async def _main(url: str, connections: int) -> None:
    times_ns = array("q")
    file = os.environ.get("RECORDS")
    records: list[str] | None = None if file is None else []
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    turn = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    working = [asyncio.create_task(_work(url, number, turn, times_ns, records)) for number in range(connections)]
    stopping = asyncio.create_task(told_to_stop.wait())
    ended, _ = await asyncio.wait({stopping, *working}, return_when=asyncio.FIRST_COMPLETED)
    for task in ended - {stopping}:
        task.result()  # it raises
    in_order = sorted(times_ns)
    report = {
        "round_trips": len(in_order),
        "p50_us": in_order[len(in_order) // 2] / 1000 if in_order else None,
        "p99_us": in_order[len(in_order) * 99 // 100] / 1000 if in_order else None,
    }
    if file is not None and records is not None:
        Path(file).write_text("".join(records))  # noqa: ASYNC240 - at the end of all that is timed
    sys.stdout.write("\n" + json.dumps(report) + "\n")
    sys.stdout.flush()
    signal.raise_signal(signal.SIGKILL)  # a thousand orderly goodbyes would tell nothing more


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2])))
