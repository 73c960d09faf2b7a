"""From a recorded session to the description of its clients.

Each namespace of a connection is a kind of client, because scenarios use the first namespace of theirs. Connections to
the same path and namespace are sessions of the same kind. What was not understood is a note, and never left out
silently.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import orjson

from bench.printable import one_line
from bench.starting.description import (
    Description,
    DraftClient,
)
from bench.starting.har import Har, HarError
from bench.starting.matching import (
    leaves,
    matched,
    secrets_given,
)
from bench.starting.packets import Item, RecordedConnection, connections_in
from bench.starting.recorded_client import ClientDescriber, Part
from bench.starting.secret_values import SecretValues
from bench.starting.source import Names
from bench.wire.protocol import DEFAULT_NAMESPACE, Ack, Connected, ConnectError, Event
from bench.wire.protocol.recorded import Join

#: The parts of a recording that belong to a kind of client, by path and namespace.
Groups: TypeAlias = dict[tuple[str, str], list[Part]]

#: The largest HTTP response that is searched for ids, in bytes.
_MOST_RESPONSE_BYTES = 1_000_000


def described(har: Har, source: str) -> Description:
    """Return the description of the clients of a recorded session. Raises HarError."""
    secrets = SecretValues()
    notes: list[str] = []
    connections = _of_one_server(connections_in(har, notes), notes)
    given = _given(har)
    groups: Groups = defaultdict(list)
    for connection in connections:
        for namespace, items in _by_namespace(connection, notes).items():
            groups[connection.path, namespace].append(Part(connection, items, matched(items, given)))
    _described(har, groups, source, secrets, [])  # finds the secrets, wherever in the session they are
    return _described(har, groups, source, secrets, notes)


def _described(har: Har, groups: Groups, source: str, secrets: SecretValues, notes: list[str]) -> Description:
    names = Names()
    is_alone = len(groups) == 1
    clients: list[DraftClient] = []
    logins = {
        value: exchange.event.name
        for parts in groups.values()
        for part in parts
        for value, (exchange, _) in secrets_given(part.conversation).items()
    }
    for (path, namespace), parts in groups.items():
        suffix = "" if is_alone or not clients else names.new(namespace.strip("/") or path.replace("/", " "))
        clients.append(ClientDescriber(namespace, parts, har, secrets, notes, logins).client(suffix))
    useful = [client for client in clients if client.scenarios] or clients[:1]
    if not useful:
        raise HarError("its Socket.IO connections have joined no namespace: record from the page's start on")
    for client in clients:
        if client not in useful:
            listening = client.settings.get("namespaces", (DEFAULT_NAMESPACE,))[0]
            notes.append(f"nothing was emitted in the namespace {listening}: it has no files")
    if not any(exchange.cookies or exchange.set_cookies for exchange in har.exchanges) and har.exchanges:
        notes.append("the recording has no cookies: Chrome leaves them out unless its settings allow sensitive data")
    hidden = tuple(secrets.secrets.hide(note) for note in dict.fromkeys(notes))
    return Description(tuple(_first_without_suffix(useful)), source, secrets.variables, hidden, _origin(groups))


def _origin(groups: Groups) -> str:
    return next(part.connection.origin for parts in groups.values() for part in parts)


def _first_without_suffix(clients: Sequence[DraftClient]) -> Iterable[DraftClient]:
    yield replace(clients[0], suffix="")
    yield from clients[1:]


def _of_one_server(connections: list[RecordedConnection], notes: list[str]) -> list[RecordedConnection]:
    """Return the connections to the server that has most packets."""
    counts: Counter[str] = Counter()
    for connection in connections:
        counts[connection.origin] += len(connection.items)
    first = counts.most_common(1)[0][0]
    notes += (f"the connections to {other} are left out: {first} has more" for other in counts if other != first)
    return [connection for connection in connections if connection.origin == first]


def _by_namespace(connection: RecordedConnection, notes: list[str]) -> dict[str, list[Item]]:
    """Return the packets of each namespace; those that the server refused are left out."""
    found: dict[str, list[Item]] = {}
    refused: dict[str, str] = {}
    for item in connection.items:
        packet = item.packet
        if isinstance(packet, ConnectError):
            refused[packet.namespace] = packet.message
        if isinstance(packet, (Join, Connected, Event, Ack)):
            found.setdefault(packet.namespace, []).append(item)
    for namespace, message in refused.items():
        notes.append(f"the server refused the namespace {namespace}: {one_line(message, 100)}")
        if not any(isinstance(item.packet, (Event, Ack)) for item in found.get(namespace, ())):
            found.pop(namespace, None)
    if DEFAULT_NAMESPACE in found and len(found) > 1:
        is_empty = not any(isinstance(item.packet, Event) for item in found[DEFAULT_NAMESPACE])
        if is_empty:  # clients of other namespaces join it by the way
            del found[DEFAULT_NAMESPACE]
    return found


def _given(har: Har) -> dict[Any, float]:
    """Return the values in the JSON of HTTP responses, with the moments at which they came."""
    found: dict[Any, float] = {}
    for exchange in har.exchanges:
        response = exchange.response
        if response is None or len(response) > _MOST_RESPONSE_BYTES or response[:1] not in (b"{", b"["):
            continue
        try:
            data = orjson.loads(response)
        except orjson.JSONDecodeError:
            continue
        for _, value in leaves(data):
            if type(value) in (str, int):
                found.setdefault(value, exchange.ended_s)
    return found
