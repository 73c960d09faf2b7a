"""Guards around Locust's own master and worker: where they would end with a traceback, never end, or stand still.

Locust's listeners end at a message that they cannot decode, and then the whole run is over. A flood of messages keeps
everything else in the process from running. A master whose port is taken prints a traceback. A worker says for half a
minute nothing of a master that it cannot find. None of this has an event or an option, so methods are replaced.
"""

from __future__ import annotations

import atexit
import logging
import os
import select
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import gevent
import psutil
import zmq.green as zmq
from locust import __version__ as locust_version
from locust import argument_parser, runners
from locust.argument_parser import get_parser
from locust.dispatch import UsersDispatcher
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from locust.runners import MasterRunner, Runner, WorkerRunner

from bench.load.plugin.messages import HELLO, shown

logger = logging.getLogger(__name__)

_LARGEST_MESSAGE_BYTES = 1 << 28

#: The types of message that Locust's master expects of its workers.
_KNOWN_TO_MASTER = frozenset(
    (
        "client_ready",
        "client_stopped",
        "exception",
        "heartbeat",
        "locustfile",
        "logs",
        "quit",
        "spawning",
        "spawning_complete",
        "stats",
    )
)

_STATISTICS = frozenset(("stats", "stats_total", "errors"))

#: The id of the process that loaded the locustfile. In a worker that Locust has forked, that is its master.
_LOADING_PID = os.getpid()

#: The pipe with a byte for each forked worker once their master listens: another master may have the port.
_LISTENING = os.pipe()

_MOST_FORKED = 4096

#: Workers that were asked to quit while they were still connecting.
_dismissed: WeakSet[WorkerRunner] = WeakSet()

_early_hellos: WeakKeyDictionary[MasterRunner, deque[Message]] = WeakKeyDictionary()

#: The time that the master waits for the workers that it has forked, in seconds.
FORKED_WORKERS_WAIT_S = 30

#: The time that the last messages of a process that exits may take to its sockets, in seconds.
_SENDING_S = 0.2

#: The time that forked workers may take to end by themselves, and after an interrupt, in seconds.
_LEAVE_S, _INTERRUPTED_S = 3.0, 10.0


def install() -> None:
    """Replace the methods. Called once, before Locust makes its runner."""
    replaced: tuple[tuple[type, str, Callable[..., Any]], ...] = (
        (zmqrpc.BaseSocket, "__init__", _init_socket),
        (zmqrpc.Server, "recv_from_client", _recv_from_client),
        (zmqrpc.Client, "recv", _recv),
        (Runner, "monitor_cpu_and_memory", _monitor_cpu_and_memory),
        (MasterRunner, "__init__", _init_master),
        (WorkerRunner, "connect_to_master", _connect_to_master),
        (WorkerRunner, "handle_message", _handle_message),
        (UsersDispatcher, "_dispatcher", _dispatcher),
    )
    for owner, name, replacement in replaced:
        setattr(owner, name, replacement)
    # Locust's worker asks for it for each option in each message to spawn users, so each second while they arrive. It
    # makes and runs a parser each time: two seconds of CPU time in all, in which no user begins.
    argument_parser.default_args_dict = cache(argument_parser.default_args_dict)


@cache
def is_forked() -> bool:
    """Return whether this process is a worker that a master has forked."""
    # `--worker --processes N` forks as well: workers of a master elsewhere. Locust says --worker in both cases then.
    return os.getpid() != _LOADING_PID and not get_parser().parse_args().worker


def has_lost_its_parent() -> bool:
    """Return whether this is a forked worker whose master has gone."""
    return is_forked() and os.getppid() != _LOADING_PID


class Complaints:
    """Log lines about what others sent: of each kind the first, the tenth, the hundredth …"""

    _MOST_KINDS = 50

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()

    def note(self, kind: str, detail: object = "") -> None:
        """Count a complaint of a kind, and log it if that is due."""
        if kind not in self._numbers and len(self._numbers) >= self._MOST_KINDS:
            kind = "messages of further kinds cannot be read"
        self._numbers[kind] += 1
        number = self._numbers[kind]
        if str(number).strip("0") == "1":
            more = f" ({number} such messages so far)" if number > 1 else ""
            text = shown(str(detail))
            logger.error("%s%s%s", kind, f": {text}" if text else "", more)


_complaints = Complaints()


def guard_master(master: MasterRunner) -> None:
    """Have the master pass over a message that it cannot cope with. Otherwise its listener would end."""
    handle: Callable[..., None] = master.handle_message

    def handle_guarded(client_id: str, msg: Message) -> None:
        who = shown(client_id)
        if msg.node_id != client_id or not isinstance(msg.type, str):
            _complaints.note(f"a message of {who} is none of Locust's")
        elif msg.type not in _KNOWN_TO_MASTER and msg.type not in master.custom_messages:
            _complaints.note(f"messages of {who} are of an unknown type", msg.type)
        elif msg.type == "stats" and not (isinstance(msg.data, dict) and msg.data.keys() >= _STATISTICS):
            _complaints.note(f"statistics of {who} cannot be read")
        elif msg.type == "client_ready" and _is_there(master, client_id):
            # The worker asked again before the answer had come. Locust would take it for a second worker without users.
            master.send_message("ack", client_id=client_id, data={"index": master.get_worker_index(client_id)})
        else:
            if msg.type == "stats":
                # A worker that is asked to quit as it connects has none yet, and does not say so.
                msg.data.setdefault("user_classes_count", {})
            try:
                handle(client_id, msg)
            except Exception as error:
                _complaints.note(f"a message {shown(msg.type)!r} of {who} cannot be read", repr(error))

    _replace_handler(master, handle_guarded)


def early_hellos(master: MasterRunner) -> Sequence[Message]:
    """Return the greetings of workers that were there before this master's initialisation, and keep no more."""
    del master.custom_messages[HELLO]
    return _early_hellos.pop(master)


def guard_worker(worker: WorkerRunner) -> None:
    """Have the worker pass over a message that it cannot cope with. Otherwise its listener would end."""
    handle: Callable[..., None] = worker.handle_message

    def handle_guarded(msg: Message) -> None:
        try:
            handle(msg)
        except Exception as error:
            _complaints.note(f"a message {shown(str(msg.type))!r} of the master cannot be read", repr(error))

    _replace_handler(worker, handle_guarded)


def _replace_handler(runner: MasterRunner | WorkerRunner, handler: Callable[..., None]) -> None:
    setattr(runner, "handle_message", handler)  # noqa: B010  # mypy takes the plain assignment for a mistake


def _is_there(master: MasterRunner, worker: str) -> bool:
    return worker in master.clients and master.clients[worker].state != runners.STATE_MISSING


def end_forked_workers_at_exit() -> None:
    """End the workers that this master has forked even if they are stopped: Locust would wait for them without end."""
    atexit.register(_end_forked_workers)


def _end_forked_workers() -> None:
    workers = _forked_workers()
    for worker in workers:
        if worker.status() == psutil.STATUS_STOPPED:
            _kill(worker)
    if _have_ended(workers, _LEAVE_S):
        return
    for worker in _running(workers):
        worker.send_signal(signal.SIGINT)
    if _have_ended(workers, _INTERRUPTED_S):
        return
    for worker in _running(workers):
        _kill(worker)


def _kill(worker: psutil.Process) -> None:
    logger.error("worker process %d does not end: it is killed", worker.pid)
    worker.kill()


def _forked_workers() -> list[psutil.Process]:
    own = psutil.Process()
    found = []
    for child in own.children():
        try:
            if child.cmdline() == own.cmdline():  # a forked worker, never another program
                found.append(child)
        except psutil.Error:
            continue
    return found


def _running(workers: list[psutil.Process]) -> list[psutil.Process]:
    running = []
    for worker in workers:
        try:
            if worker.status() != psutil.STATUS_ZOMBIE:
                running.append(worker)
        except psutil.NoSuchProcess:
            continue
    return running


def _have_ended(workers: list[psutil.Process], timeout_s: float) -> bool:
    give_up_at = time.monotonic() + timeout_s
    while _running(workers):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


# ---------------------------------------------------------------------------------------------- what is replaced

_locusts_init_socket: Callable[..., None] = zmqrpc.BaseSocket.__init__
_locusts_recv_from_client: Callable[..., tuple[str, Message]] = zmqrpc.Server.recv_from_client
_locusts_recv: Callable[..., Message] = zmqrpc.Client.recv
_locusts_init_master: Callable[..., None] = MasterRunner.__init__
_locusts_handle_message: Callable[..., None] = WorkerRunner.handle_message
_locusts_monitor_cpu_and_memory: Callable[..., None] = Runner.monitor_cpu_and_memory

_locusts_dispatcher: Callable[..., Iterator[Any]] = UsersDispatcher._dispatcher


def _dispatcher(self: UsersDispatcher) -> Iterator[Any]:
    """Dispatch as Locust does, and end the dispatch.

    After a worker has joined, Locust takes the dispatch for unfinished for ever. If a worker quit after that, its users
    would belong to nobody.
    """
    try:
        yield from _locusts_dispatcher(self)
    finally:
        self._dispatch_in_progress = False


def _init_socket(self: zmqrpc.BaseSocket, *arguments: Any) -> None:
    _locusts_init_socket(self, *arguments)
    self.socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_MESSAGE_BYTES)


def _recv_from_client(self: zmqrpc.Server) -> tuple[str, Message]:
    while True:
        gevent.sleep(0)  # if the next message is always there already, nothing else would run
        try:
            client_id, msg = _locusts_recv_from_client(self)
        except RPCReceiveError as error:
            _complaints.note("a message to the master cannot be read", error)
        except RPCError:
            raise
        except Exception as error:
            _complaints.note("a message to the master cannot be read", repr(error))
        else:
            return client_id, msg


def _recv(self: zmqrpc.Client) -> Message:
    while True:
        try:
            return _locusts_recv(self)
        except RPCError:
            raise
        except Exception as error:
            _complaints.note("a message of the master cannot be read", repr(error))


def _monitor_cpu_and_memory(self: Runner) -> None:
    """Monitor as Locust does, but go on where /proc cannot be read: Locust would end, and its process's run with it.

    The connections may have taken every file that this process may open.
    """
    while True:
        try:
            _locusts_monitor_cpu_and_memory(self)
        except (OSError, psutil.Error) as error:
            _complaints.note("Locust cannot read what this process uses", error)
            gevent.sleep(runners.CPU_MONITOR_INTERVAL)


def _init_master(self: MasterRunner, environment: Any, master_bind_host: str, master_bind_port: int) -> None:
    try:
        _locusts_init_master(self, environment, master_bind_host, master_bind_port)
    except RPCError as error:
        logger.error(
            "the master cannot listen on port %s: %s: end what listens there, or choose another one with"
            " --master-bind-port (and --master-port)",
            master_bind_port,
            shown(str(error)),
        )
        for worker in _forked_workers():  # they would wait for this master
            worker.kill()
        sys.exit(1)
    _early_hellos[self] = early = deque[Message](maxlen=_MOST_FORKED)
    self.register_message(HELLO, lambda msg, **_: early.append(msg))
    os.write(_LISTENING[1], bytes(_MOST_FORKED))
    atexit.register(_send_workers_away, self)


def _send_workers_away(master: MasterRunner) -> None:
    """Ask the workers of a master that exits to quit, where Locust did not: they would wait a minute for it.

    So it is with whatever ends the process before a test has begun, such as an interrupt while it initialises.
    """
    if not master.greenlet:  # `quit` asked them, and ended the master's own greenlets
        return
    workers = [node.id for node in master.clients.values() if node.state != runners.STATE_MISSING]
    for worker in workers:
        master.server.send_to_client(Message("quit", None, worker))
    if workers:
        time.sleep(_SENDING_S)


def _await_listening_master() -> None:
    give_up_at = time.monotonic() + FORKED_WORKERS_WAIT_S
    while not select.select([_LISTENING[0]], [], [], 0.5)[0]:
        if has_lost_its_parent() or time.monotonic() > give_up_at:
            sys.exit(1)
    os.read(_LISTENING[0], 1)


def _handle_message(self: WorkerRunner, msg: Message) -> None:
    """Handle a message as Locust does, but end a worker that is asked to quit while it still connects.

    Locust's worker stops listening then, and goes on.
    """
    if msg.type == "quit" and not self.connected:
        _dismissed.add(self)
        self.connection_event.set()
    else:
        _locusts_handle_message(self, msg)


def _connect_to_master(self: WorkerRunner) -> None:
    """Connect as Locust does, but log at once that there is no master."""
    where = f"{self.master_host}:{self.master_port}"
    if is_forked():
        _await_listening_master()
    for attempt in range(1, runners.CONNECT_RETRY_COUNT + 2):
        self.client.send(Message("client_ready", locust_version, self.client_id))
        try:
            if self.connection_event.wait(timeout=runners.CONNECT_TIMEOUT):
                if self in _dismissed:
                    logger.info("the master of this worker ends: so does the worker")
                    sys.exit(0)
                self.connected = True
                return
        except KeyboardInterrupt:
            sys.exit(1)
        if has_lost_its_parent():
            logger.error("the master of this worker has ended: so does the worker")
            sys.exit(1)
        if attempt == 1:
            left_s = runners.CONNECT_RETRY_COUNT * runners.CONNECT_TIMEOUT
            logger.warning("no master answers at %s yet: this worker tries for %d s more", where, left_s)
    logger.error("no master answered at %s: check --master-host and --master-port", where)
    sys.exit(1)
