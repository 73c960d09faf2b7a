"""The integration test that all began with.

A server runs in the session's event loop, a client is connected to it. The client says who it is, the service answers;
the answer resolves a future, and the test awaits that, for a while. Everything that this project measures is this
exchange, many times over.
"""

import asyncio

import pytest
import socketio

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_foo_is_answered_with_bar(client: socketio.AsyncClient) -> None:
    answer = asyncio.get_running_loop().create_future()

    def bar(data: object) -> None:
        if not answer.done():  # everybody hears everybody's BAR, and more may come in this session
            answer.set_result(data)

    client.on("BAR", bar)
    await client.emit("FOO", {"name": "haseeb"})

    assert await asyncio.wait_for(answer, timeout=60) == {"foo": "haseeb"}
