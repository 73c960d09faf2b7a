"""The client's conversation without a socket: with a server's side in memory, and with whatever a server may say."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.wire import protocol
from bench.wire.conversation import (
    BY_THE_CLIENT,
    BY_THE_SERVER,
    HEARTBEAT_GRACE_NS,
    NEXT_STATES,
    Acknowledged,
    Conversation,
    Ended,
    Established,
    Left,
    Opened,
    Send,
    State,
)
from bench.wire.errors import CLOSED, ClientError, Disconnected, MessageTooLarge, kind_of
from bench.wire.protocol import Binary, Event, Message
from tests.wire.in_memory import INTERVAL_MS, MAX_PAYLOAD_BYTES, TIMEOUT_MS, Server, Talk

EXAMPLES = int(os.environ.get("WIRE_FUZZ_EXAMPLES", "300"))

HEARTBEAT_NS = (INTERVAL_MS + TIMEOUT_MS) * 1_000_000


def ignore(*_: Any) -> None:
    """Ignore a call: a callback, told from others by what it is given in."""


def established(*namespaces: str, **settings: Any) -> Talk:
    talk = Talk(*namespaces, **settings)
    assert talk.deliver() == [Established()]
    return talk


# ---------------------------------------------------------------------- handshake and namespaces


def test_the_handshake_joins_every_namespace() -> None:
    talk = Talk("/admin", "/", auth={"token": "secret"})
    states = [talk.client.state]
    talk.deliver_to_client()
    states.append(talk.client.state)
    assert talk.deliver() == [Established()]
    assert [*states, talk.client.state] == [State.OPENING, State.JOINING, State.ESTABLISHED]
    assert talk.client.sid == "sid of /"
    assert talk.server.auths == {"/": {"token": "secret"}, "/admin": {"token": "secret"}}
    assert sorted(talk.client.joined()) == ["/", "/admin"]
    assert talk.client.max_payload_bytes == MAX_PAYLOAD_BYTES


def test_without_the_default_namespace_the_first_gives_the_sid() -> None:
    talk = established("/admin", "/chat")
    assert talk.client.sid == "sid of /admin"
    assert not talk.client.is_plain


def test_nothing_is_emitted_before_all_namespaces_are_joined() -> None:
    talk = Talk("/", "/admin")
    with pytest.raises(Disconnected):
        talk.client.emit("EARLY", None, "/", None)
    talk.deliver_to_client()
    while talk.to_server:
        talk.deliver_to_server()
    talk.deliver_to_client()
    assert talk.client.joined() == ["/"]
    with pytest.raises(Disconnected):
        talk.client.emit("EARLY", None, "/", None)
    assert talk.deliver() == [Established()]
    talk.emit("NOW")
    talk.deliver()
    assert talk.server.heard == [Event("NOW", (), None, "/")]


def test_a_namespace_that_was_not_asked_for_is_not_joined() -> None:
    talk = established()
    with pytest.raises(Disconnected, match="/admin is not joined"):
        talk.client.emit("HELLO", None, "/admin", None)


@pytest.mark.parametrize(
    ("namespaces", "refused", "reason", "data"),
    [
        (("/",), {"/": b'{"message":"no"}'}, "the server refused the connection: no", None),
        (
            ("/", "/admin"),
            {"/admin": b'{"message":"not you","data":{"code":7}}'},
            "the server refused the connection to /admin: not you",
            {"code": 7},
        ),
        (("/admin",), {"/admin": b'"text alone"'}, "the server refused the connection to /admin: text alone", None),
    ],
)
def test_a_refused_namespace_ends_it(
    namespaces: tuple[str, ...], refused: dict[str, bytes], reason: str, data: Any
) -> None:
    talk = Talk(*namespaces, server=Server(refused))
    assert talk.deliver() == [Ended(reason, data)]
    assert talk.client.state is State.ENDED
    assert kind_of(talk.client.reason) == "the server refused the connection"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"2", "the server sent something before its handshake"),
        (b'42["BAR"]', "the server sent something before its handshake"),
        (b'40{"sid":"a"}', "the server sent something before its handshake"),
        (b"hello", "the server sent an unknown Engine.IO packet: 'hello'"),
        (b"0{}", "the server sent a handshake without 'sid': '0{}'"),
        (Binary(b"x"), "the server sent an attachment of nothing"),
    ],
)
def test_what_may_not_come_before_the_handshake(said: Message, reason: str) -> None:
    conversation = Conversation(["/"], None, 1000)
    assert conversation.receive(said, 0) == Ended(reason)
    assert kind_of(conversation.reason) == "the server sent a broken packet"


def test_a_server_may_not_join_before_it_is_asked() -> None:
    talk = Talk()
    talk.joins_at_once = False
    assert isinstance(talk.deliver()[0], Opened)
    assert talk.say(b'40{"sid":"a"}') == [Ended("the server connected /, which was not asked for")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Server().handshake, "the server sent a second handshake"),
        (b'40{"sid":"a"}', "the server connected /, which was not asked for"),
        (b'40/admin,{"sid":"a"}', "the server connected /admin, which was not asked for"),
        (b'42/admin,["BAR"]', "the server sent a packet of /admin, which was not asked for"),
        (b"43/admin,1[]", "the server sent a packet of /admin, which was not asked for"),
        (b"1", CLOSED),
        (b"41", BY_THE_SERVER),
        (b"41/admin,", BY_THE_SERVER),
    ],
)
def test_what_ends_an_established_conversation(said: bytes, reason: str) -> None:
    talk = established()
    assert talk.say(said) == [Ended(reason)]
    assert talk.client.state is State.ENDED
    assert not talk.client.is_plain
    with pytest.raises(Disconnected, match=reason):
        talk.client.emit("LATE", None, "/", None)
    assert talk.say(b'42["BAR"]', b"2", Binary(b"x"), b"nonsense") == []


def test_an_event_may_come_before_its_namespace_is_joined() -> None:
    talk = Talk("/", "/admin")
    talk.deliver_to_client()
    assert talk.say(*talk.server.emit("HELLO", 1, namespace="/admin"))[0] == Event("HELLO", (1,), None, "/admin")


# ---------------------------------------------------------------------- acknowledgements


@pytest.mark.parametrize("offset", ["PfxGhQ0", "PfxGhQ0.1_", "1678724521123-0", "65f1c0ffee65f1c0ffee65f1"])
def test_the_offset_of_a_server_that_recovers_connections_is_no_argument(offset: str) -> None:
    client = Conversation(["/", "/other"], None, 1000)
    client.receive(Server().handshake, 0)
    client.join()
    client.receive(b'40{"sid":"a","pid":"b"}', 0)
    assert client.receive(b'40/other,{"sid":"c"}', 0) == Established()
    assert not client.is_plain
    said = f'["BAR",{{"id":1}},"{offset}"]'.encode()
    with_offset = ({"id": 1}, offset)
    assert client.receive(b"42" + said, 0) == Event("BAR", ({"id": 1},), None, "/")
    assert client.receive(b"427" + said, 0) == Event("BAR", with_offset, 7, "/"), "it asks for an acknowledgement"
    assert client.receive(b"42/other," + said, 0) == Event("BAR", with_offset, None, "/other")
    volatile = b'42["BAR","rt-ab12cd34-0-0"]'
    assert client.receive(volatile, 0) == Event("BAR", ("rt-ab12cd34-0-0",), None, "/")


def test_acknowledgement_ids_are_shared_by_the_namespaces() -> None:
    talk = established("/", "/admin")
    first, second, third = (lambda *_: 1), (lambda *_: 2), (lambda *_: 3)
    talk.emit("A", 1, callback=first)
    talk.emit("B", (2, b"bytes"), "/admin", second)
    talk.emit("C", callback=third)
    assert talk.client.last_ack_id == 3
    assert talk.deliver() == [
        Acknowledged(first, (1,)),
        Acknowledged(second, (2, b"bytes")),
        Acknowledged(third, ()),
    ]


def test_acknowledgements_come_in_any_order_and_count_once() -> None:
    talk = established("/", "/admin")
    talk.client.emit("A", None, "/", first := lambda *_: 1)
    talk.client.emit("B", None, "/", second := lambda *_: 2)
    assert talk.say(b'432["b"]', b"431[]") == [Acknowledged(second, ("b",)), Acknowledged(first, ())]
    assert talk.say(b'432["again"]', b"431[]", b"437[]", b"430[]") == []
    talk.client.emit("C", None, "/admin", ignore)
    assert talk.say(b'433["of another namespace"]') == []
    assert talk.say(b"43/admin,3[]") == [Acknowledged(ignore, ())]


def test_an_acknowledgement_that_was_withdrawn_is_ignored() -> None:
    talk = established()
    talk.emit("A", callback=ignore)
    talk.client.withdraw("/", talk.client.last_ack_id)
    assert talk.deliver() == []
    assert talk.client.state is State.ESTABLISHED


@pytest.mark.parametrize("data", [None, "text", ("a", 2), {"bytes": b"\x00"}, (b"a", [b"b", {"c": b"c"}])])
def test_a_server_gets_the_acknowledgement_that_it_asks_for(data: Any) -> None:
    talk = established("/admin", "/")
    for namespace in ("/", "/admin"):
        [event] = talk.say(*talk.server.emit("ASK", 1, ack_id=7, namespace=namespace))
        assert event == Event("ASK", (1,), 7, namespace)
        assert isinstance(event, Event)
        talk.to_server.extend(talk.client.acknowledge(event, data))
        assert talk.deliver() == []
        assert talk.server.acknowledged.pop(7) == (() if data is None else data if isinstance(data, tuple) else (data,))


def test_what_cannot_be_sent_changes_nothing() -> None:
    talk = established()
    with pytest.raises(TypeError):
        talk.client.emit("A", object(), "/", ignore)
    with pytest.raises(MessageTooLarge) as raised:
        talk.client.emit("A", "x" * MAX_PAYLOAD_BYTES, "/", ignore)
    assert raised.value.limit_bytes == MAX_PAYLOAD_BYTES < raised.value.size_bytes
    with pytest.raises(MessageTooLarge):
        talk.client.emit("A", (b"small", b"x" * (MAX_PAYLOAD_BYTES + 1)), "/", ignore)
    assert talk.client.last_ack_id == 0
    assert talk.say(b"431[]") == []
    talk.emit("A", "x", callback=ignore)
    assert talk.deliver() == [Acknowledged(ignore, ("x",))]


def test_base64_counts_where_a_transport_carries_text_only() -> None:
    talk = established()
    attachment = b"x" * (MAX_PAYLOAD_BYTES * 7 // 8)
    talk.emit("A", attachment)
    talk.client.is_text_only = True
    with pytest.raises(MessageTooLarge) as raised:
        talk.client.emit("A", attachment, "/", None)
    assert raised.value.size_bytes == 1 + (len(attachment) + 2) // 3 * 4


# ---------------------------------------------------------------------- attachments


def test_attachments_come_after_their_header() -> None:
    talk = established("/", "/admin")
    header, first, second = talk.server.emit("BAR", b"one", {"two": b"two"}, ack_id=3, namespace="/admin")
    assert talk.say(header) == []
    assert not talk.client.is_plain
    assert talk.say(first) == []
    assert talk.say(second) == [Event("BAR", (b"one", {"two": b"two"}), 3, "/admin")]
    assert talk.client.is_plain


HEADER, ATTACHMENT, _ = Server().emit("BAR", b"x", b"y")


@pytest.mark.parametrize("attachments", [0, 1])
@pytest.mark.parametrize("said", [b'42["BAR"]', b"431[]", HEADER, b"41", b'40{"sid":"a"}', b"4"])
def test_no_packet_of_socket_io_comes_in_the_middle_of_attachments(said: bytes, attachments: int) -> None:
    talk = established()
    talk.emit("ASK", callback=ignore)
    talk.to_server.clear()
    talk.say(HEADER, *[ATTACHMENT] * attachments)
    reason = f"the server sent the event BAR with {attachments} of 2 attachments, then something else"
    assert talk.say(said, ATTACHMENT, ATTACHMENT) == [Ended(reason)]


@pytest.mark.parametrize(("said", "answered"), [(b"2", [protocol.PONG]), (b"6", []), (b"3", [])])
def test_engine_io_may_come_in_the_middle_of_attachments(said: bytes, answered: list[bytes]) -> None:
    talk = established()
    assert talk.client.receive(HEADER, 0) is None
    action = talk.client.receive(said, 0)
    assert action == (Send(tuple(answered)) if answered else None)
    assert talk.say(ATTACHMENT, ATTACHMENT) == [Event("BAR", (b"x", b"x"), None, "/")]
    assert talk.client.is_plain


def test_the_server_may_close_in_the_middle_of_attachments() -> None:
    assert established().say(HEADER, b"1", ATTACHMENT) == [Ended(CLOSED)]


@pytest.mark.parametrize("said", [Server().handshake, b"", b"hello"])
def test_no_rubbish_comes_in_the_middle_of_attachments(said: bytes) -> None:
    talk = established()
    [end] = talk.say(HEADER, said, ATTACHMENT, ATTACHMENT)
    assert isinstance(end, Ended)
    assert kind_of(end.reason) == "the server sent a broken packet"


def test_the_transport_may_end_in_the_middle_of_attachments() -> None:
    talk = established()
    talk.say(HEADER, ATTACHMENT)
    assert talk.client.end("the cable was cut") == Ended("the cable was cut")
    assert talk.say(ATTACHMENT, HEADER, ATTACHMENT, ATTACHMENT) == []


def test_the_client_may_emit_in_the_middle_of_attachments() -> None:
    talk = established()
    talk.say(HEADER, ATTACHMENT)
    talk.emit("ASK", b"bytes", callback=ignore)
    assert talk.say(ATTACHMENT) == [Event("BAR", (b"x", b"x"), None, "/"), Acknowledged(ignore, (b"bytes",))]


def test_attachments_together_are_limited() -> None:
    talk = established(max_message_bytes=10)
    header, *_ = talk.server.emit("BAR", b"", b"")
    [end] = talk.say(header, Binary(b"123456"), Binary(b"12345"))
    assert end == Ended("the server sent a message of more than 10 bytes, the client's max_message_bytes")


@pytest.mark.parametrize("header", [b'451-["BAR"]', b'452-["BAR",{"_placeholder":true,"num":2}]', b'459999-["BAR"]'])
def test_a_header_that_cannot_be(header: bytes) -> None:
    talk = established()
    [end] = talk.say(header)
    assert isinstance(end, Ended)
    assert kind_of(end.reason) == "the server sent a broken packet"


# ---------------------------------------------------------------------- heartbeat


def test_a_ping_is_answered() -> None:
    talk = established()
    assert talk.say(b"2", b"2") == []
    assert talk.server.pongs == 2


def test_the_heartbeat_is_looked_for_when_it_is_due() -> None:
    conversation = Conversation(["/"], None, 1000)
    assert conversation.receive(Server().handshake, 1_000) is not None
    assert conversation.check_at_ns == 1_000 + HEARTBEAT_NS
    assert conversation.receive(b"2", 5_000) == Send((b"3",))
    assert conversation.check_heartbeat(1_000 + HEARTBEAT_NS) is None
    assert conversation.check_at_ns == 5_000 + HEARTBEAT_NS


def test_a_missing_heartbeat_ends_it_after_a_grace() -> None:
    talk = established()
    now_ns = talk.client.check_at_ns
    assert talk.client.check_heartbeat(now_ns) is None
    assert talk.client.check_at_ns == now_ns + HEARTBEAT_GRACE_NS
    assert talk.client.check_heartbeat(talk.client.check_at_ns) == Ended("the server sent no heartbeat for 45 s")
    assert talk.client.state is State.ENDED
    assert talk.client.check_heartbeat(now_ns * 2) is None, "the end is told once"


def test_a_heartbeat_that_a_late_loop_reads_in_the_grace_counts() -> None:
    talk = established()
    talk.now_ns = talk.client.check_at_ns
    assert talk.client.check_heartbeat(talk.now_ns) is None
    talk.say(b"2")
    assert talk.client.check_heartbeat(talk.client.check_at_ns) is None
    assert talk.client.check_at_ns == talk.now_ns + HEARTBEAT_NS
    assert talk.client.check_heartbeat(talk.client.check_at_ns) is None, "the next one has a grace of its own"


# ---------------------------------------------------------------------- upgrade


@pytest.fixture
def opened() -> Talk:
    """A talk whose client has the handshake and may upgrade."""
    talk = Talk(server=Server(upgrades=("websocket",)))
    talk.joins_at_once = False
    [action] = talk.deliver()
    assert isinstance(action, Opened)
    assert action.handshake.upgrades == ("websocket",)
    return talk


def test_an_upgrade(opened: Talk) -> None:
    client, server = opened.client, opened.server
    [probe] = client.probe()
    states = [client.state]
    [answer] = server.receive(probe)
    [upgrade] = client.receive_probed(answer) or ()
    assert [*states, client.state] == [State.PROBING, State.OPENED]
    server.receive(upgrade)
    assert server.is_upgraded
    opened.to_server.extend(client.join())
    assert opened.deliver() == [Established()]


@pytest.mark.parametrize("answer", [b"3", b"2probe", b'42["BAR"]', b"", Binary(b"3probe"), b"6"])
def test_an_answer_that_is_none_leaves_the_old_transport(opened: Talk, answer: Message) -> None:
    opened.client.probe()
    assert opened.client.receive_probed(answer) is None
    assert opened.client.receive_probed(b"3probe") is None, "too late"
    opened.client.give_up_probe()
    opened.to_server.extend(opened.client.join())
    assert opened.deliver() == [Established()]
    assert not opened.server.is_upgraded


def test_a_probe_that_was_given_up_is_answered_in_vain(opened: Talk) -> None:
    opened.client.probe()
    opened.client.give_up_probe()
    assert opened.client.receive_probed(b"3probe") is None


def test_the_old_transport_is_heard_while_the_new_one_is_probed(opened: Talk) -> None:
    opened.client.probe()
    assert opened.say(b"2") == []
    assert opened.server.pongs == 1
    assert opened.say(b"6", b"1") == [Ended(CLOSED)]
    assert opened.client.receive_probed(b"3probe") is None
    assert opened.client.state is State.ENDED


@pytest.mark.parametrize("state", State)
def test_states_are_entered_in_the_order_of_the_table(state: State) -> None:
    """Whatever a caller does out of order is its fault, and says so."""
    steps: dict[State, Any] = {
        State.OPENED: lambda client: client.receive(Server().handshake, 0),
        State.PROBING: lambda client: client.probe(),
        State.JOINING: lambda client: client.join(),
        State.ESTABLISHED: lambda client: client.receive(b'40{"sid":"a"}', 0),
        State.ENDED: lambda client: client.end("it is enough"),
    }
    path = {
        State.OPENING: [],
        State.OPENED: [State.OPENED],
        State.PROBING: [State.OPENED, State.PROBING],
        State.JOINING: [State.OPENED, State.JOINING],
        State.ESTABLISHED: [State.OPENED, State.JOINING, State.ESTABLISHED],
        State.ENDED: [State.ENDED],
    }
    for target in (State.PROBING, State.JOINING):
        client = Conversation(["/"], None, 1000)
        for step in path[state]:
            steps[step](client)
        assert client.state is state
        if target in NEXT_STATES[state]:
            steps[target](client)
            assert client.state is target
        else:
            with pytest.raises(AssertionError, match=f"from {state.value} to {target.value}"):
                steps[target](client)


# ---------------------------------------------------------------------- the end


def test_the_client_leaves() -> None:
    talk = established("/", "/admin")
    talk.to_server.extend(talk.client.leave())
    talk.deliver()
    assert talk.server.joined == set()
    assert talk.client.end("whatever the transport says") == Ended(BY_THE_CLIENT)
    assert talk.client.end("and again") == Ended(BY_THE_CLIENT)
    with pytest.raises(Disconnected, match=BY_THE_CLIENT):
        talk.client.emit("LATE", None, "/", None)


def test_a_client_that_has_not_joined_leaves_without_a_word() -> None:
    talk = Talk()
    assert talk.client.leave() == ()
    assert talk.deliver() == [Established()], "what is on its way counts until the transport ends"


def test_the_server_leaves_one_namespace_after_the_other() -> None:
    talk = established("/", "/admin")
    talk.client.emit("ASK", None, "/", ignore)
    assert talk.say(b"41") == [Left("/", BY_THE_SERVER)]
    assert not talk.client.is_plain
    assert talk.client.joined() == ["/admin"]
    with pytest.raises(Disconnected, match="/ is not joined"):
        talk.client.emit("LATE", None, "/", None)
    assert talk.say(b"431[]") == [], "nothing is acknowledged after that"
    talk.emit("STILL", namespace="/admin")
    talk.deliver()
    assert talk.server.heard == [Event("STILL", (), None, "/admin")]
    assert talk.say(b"41/admin,") == [Ended(BY_THE_SERVER)]


def test_a_namespace_that_is_left_before_the_others_are_joined_ends_it() -> None:
    client = Conversation(["/", "/admin", "/late"], None, 1000)
    client.receive(Server().handshake, 0)
    client.join()
    assert [client.receive(said, 0) for said in (b'40{"sid":"a"}', b'40/admin,{"sid":"b"}')] == [None, None]
    assert client.receive(b"41/admin,", 0) == Ended(BY_THE_SERVER)


def test_the_end_is_told_once_and_with_its_first_reason() -> None:
    talk = established()
    assert talk.say(b"hello", b"1", b"41") == [Ended("the server sent an unknown Engine.IO packet: 'hello'")]
    assert talk.client.end("later") == Ended("the server sent an unknown Engine.IO packet: 'hello'")


# ---------------------------------------------------------------------- whatever a server says

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["/", "/admin", "/other"])
numbers = st.sampled_from([None, 0, 1, 2, 10**18])


@st.composite
def packets(draw: st.DrawFn) -> list[Message]:
    """Return the messages of a packet that follows the format, in whatever place it comes."""
    arguments = tuple(draw(st.lists(json_values, max_size=3)))
    return draw(
        st.one_of(
            st.just(Server().emit("BAR", *arguments, ack_id=draw(numbers), namespace=draw(names))),
            st.just(Server().acknowledge(draw(st.integers(0, 4)), arguments, draw(names))),
            st.sampled_from([b"1", b"2", b"3", b"3probe", b"6", b"41", b"41/admin,", b'44{"message":"no"}']).map(
                lambda message: [message]
            ),
            st.sampled_from([b'40{"sid":"a"}', b'40/admin,{"sid":"b"}', Server().handshake]).map(
                lambda message: [message]
            ),
        )
    )


@st.composite
def damaged(draw: st.DrawFn) -> list[Message]:
    """Return the messages of a packet with something cut out, put in, replaced, left out or of the wrong kind."""
    messages = draw(packets())
    index = draw(st.integers(0, len(messages) - 1))
    message = messages[index]
    data = message.data if isinstance(message, Binary) else message
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, len(data)))
    data = data[:start] + draw(st.binary(max_size=3)) + data[end:]
    messages[index] = Binary(data) if draw(st.booleans()) else data
    return messages[: draw(st.integers(1, len(messages)))]


said = st.one_of(
    packets(), packets(), packets(), damaged(), st.binary(max_size=6).map(lambda data: [data]), st.just([Binary(b"x")])
)
steps = st.lists(
    st.one_of(
        said,
        said,
        st.tuples(st.just("emit"), json_values, names, st.booleans()),
        st.tuples(st.just("heartbeat"), st.integers(0, 3 * HEARTBEAT_NS)),
        st.sampled_from(["leave", "probe", "answer", "give up", "join", "end"]).map(lambda step: (step,)),
    ),
    max_size=12,
)


@settings(max_examples=EXAMPLES)
@given(st.booleans(), st.booleans(), steps)
def test_whatever_a_server_says(is_joined: bool, is_greeted: bool, steps: list[Any]) -> None:
    """Only the errors of the client are raised, the state is always a known state, and the end is the end."""
    talk = Talk("/", "/admin", max_message_bytes=50)
    talk.joins_at_once = is_joined
    if is_joined:
        talk.deliver()
    elif is_greeted:
        talk.deliver_to_client()
    client = talk.client
    ends = 0
    for step in steps:
        before, was_ended = client.state, client.state is State.ENDED
        results: list[Any] = []
        match step:
            case list():
                results = [client.receive(message, 0) for message in step]
            case "emit", data, namespace, asks:
                try:
                    messages = client.emit("FOO", data, namespace, ignore if asks else None)
                except ClientError:
                    assert before is not State.ESTABLISHED or namespace not in client.joined()
                else:
                    assert isinstance(messages[0], bytes)
                    assert all(isinstance(attachment, Binary) for attachment in messages[1:])
            case "heartbeat", now_ns:
                results = [client.check_heartbeat(now_ns)]
            case ("leave",):
                client.leave()
            case ("answer",):
                client.receive_probed(b"3probe")
            case ("give up",):
                client.give_up_probe()
            case ("end",):
                client.end("it is enough")
                ends += not was_ended
            case ("probe",) if State.PROBING in NEXT_STATES[before]:
                client.probe()
            case ("join",) if State.JOINING in NEXT_STATES[before]:
                client.join()
        for result in results:
            if isinstance(result, Event) and result.ack_id is not None:
                assert client.acknowledge(result, "answer")
        ended = [result for result in results if isinstance(result, Ended)]
        ends += len(ended)
        assert all(end.reason == client.reason and end.reason.isprintable() for end in ended)
        assert client.state is before or is_reachable(before, client.state)
        assert not was_ended or (client.state is State.ENDED and not any(results))
        assert ends == (client.state is State.ENDED)
        assert not client.is_plain or (client.state is State.ESTABLISHED and "/" in client.joined())


def is_reachable(start: State, end: State) -> bool:
    """Return whether the table has a way from one state to the other."""
    found: set[State] = set()
    waiting = [start]
    while waiting:
        for state in NEXT_STATES[waiting.pop()] - found:
            found.add(state)
            waiting.append(state)
    return end in found


emissions = st.tuples(st.just("client"), json_values, st.sampled_from(["/", "/admin"]), st.booleans())
deliveries = st.sampled_from(["to client", "to server", "ping"])
server_emissions = st.tuples(st.just("server"), json_values, st.sampled_from(["/", "/admin"]), st.booleans())


@settings(max_examples=EXAMPLES)
@given(st.lists(emissions | server_emissions | deliveries, max_size=25))
def test_both_sides_hear_all_that_the_other_says(steps: list[Any]) -> None:
    """Whatever is on its way meanwhile: all events in order, and each acknowledgement for what it belongs to."""
    talk = established("/", "/admin")
    sent: list[tuple[Any, str]] = []
    pushed: list[tuple[Any, str, int | None]] = []
    awaited: list[Any] = []
    acknowledged: list[tuple[Any, Any]] = []
    pings = 0

    def asking(data: Any) -> Any:
        def callback(*values: Any) -> None:
            acknowledged.append((data, values))

        return callback

    for step in steps:
        match step:
            case "client", data, namespace, asks:
                if asks:
                    awaited.append(data)
                talk.emit("FOO", (data,), namespace, asking(data) if asks else None)
                sent.append((data, namespace))
            case "server", data, namespace, asks:
                ack_id = len(pushed) if asks else None
                talk.to_client.extend(talk.server.emit("BAR", data, ack_id=ack_id, namespace=namespace))
                pushed.append((data, namespace, ack_id))
            case "ping":
                talk.to_client.append(b"2")
                pings += 1
            case "to client" if talk.to_client:
                talk.deliver_to_client()
            case "to server" if talk.to_server:
                talk.deliver_to_server()
    actions = talk.deliver()
    heard = [action for action in actions if isinstance(action, Event)]
    for action in actions:
        if isinstance(action, Acknowledged):
            action.callback(*action.arguments)
    for event in heard:
        if event.ack_id is not None:
            talk.to_server.extend(talk.client.acknowledge(event, event.arguments))
    assert talk.deliver() == []
    assert [(event.arguments[0], event.namespace) for event in talk.server.heard] == sent
    assert [(event.arguments[0], event.namespace, event.ack_id) for event in heard] == pushed
    assert acknowledged == [(data, (data,)) for data in awaited]
    assert talk.server.acknowledged == {ack_id: (data,) for data, _, ack_id in pushed if ack_id is not None}
    assert talk.server.pongs == pings
    assert talk.client.is_plain


# ---------------------------------------------------------------------- refusals


def test_each_refusal_is_named() -> None:
    talk = Talk("/", "/a", "/b", server=Server({"/": b'{"message":"who?","data":1}', "/b": b'"no"'}))
    [end] = talk.deliver()
    assert isinstance(end, Ended)
    assert end.reason == "the server refused the connection: who?; and to /b: no"
    assert end.data == 1
    assert kind_of(end.reason) == "the server refused the connection"


def test_a_refusal_is_not_lost_where_the_others_are_not_answered() -> None:
    talk = Talk("/a", "/b")
    talk.deliver_to_client()
    talk.to_server.clear()
    assert talk.say(b'44/a,"no"') == []
    assert talk.client.unanswered(2) == (
        "the server refused the connection to /a: no; and the server answered the handshake, but not the request to "
        "join /b within 2 s: its connect handler takes longer, or it failed and the service's log says why"
    )


def test_a_server_that_lets_in_before_it_refuses() -> None:
    """python-socketio does that with `always_connect`."""
    talk = established()
    assert talk.say(b'41{"message":"not authorised"}') == [Ended("the server refused the connection: not authorised")]
    talk = Talk("/a", "/b")
    talk.deliver()
    assert talk.say(b'41/b,"out"') == [Ended("the server refused the connection to /b: out")]


@pytest.mark.parametrize(
    ("serializer", "answer", "advice"),
    [
        ("json", Binary(protocol.pack_event("a", ())), "--serializer msgpack"),
        ("msgpack", b'40{"sid":"a"}', "--serializer json"),
    ],
)
def test_a_server_of_the_other_format(serializer: Any, answer: Message, advice: str) -> None:
    conversation = Conversation(["/"], None, 1000, serializer)
    conversation.receive(Server().handshake, 0)
    [asked] = conversation.join()
    assert isinstance(asked, Binary) == (serializer == "msgpack")
    [otherwise] = conversation.join_otherwise()
    assert isinstance(otherwise, Binary) != (serializer == "msgpack")
    end = conversation.receive(answer, 0)
    assert isinstance(end, Ended)
    assert advice in end.reason
    assert conversation.join_otherwise() == ()


def test_nothing_is_asked_otherwise_once_all_is_answered() -> None:
    assert established().client.join_otherwise() == ()
