"""Scenarios of the chaos test, and the drawing of them. Pure: the same seed and number draw the same scenario.

The moments of faults are in seconds since the test began, which is when Locust says that it spawns users. The machine
decides what a fault does to a process; so a run can be drawn again, but not every count in it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

Transport = Literal["websocket", "polling", "upgrade"]
TRANSPORTS: tuple[Transport, ...] = ("websocket", "polling", "upgrade")

#: The processes of a run: one process; a master that forks two workers; or a master and two workers that are started by
#: themselves.
Layout = Literal["single", "forked", "apart"]

Kind = Literal[
    "kill server",
    "stop server",
    "pause server",
    "restart server",
    "kill worker",
    "stop worker",
    "pause worker",
    "terminate worker",
    "leave",
    "join",
    "interrupt",
    "interrupt at start",
    "pause generator",
    "full disk",
    "file in the way",
    "locked folder",
    "few descriptors",
    "drop",
    "truncate",
    "stall",
    "refuse",
]

REPLY_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 2.0

_SERVER: tuple[Kind, ...] = ("kill server", "stop server", "pause server", "restart server")
LOST: tuple[Kind, ...] = ("kill worker", "stop worker")
_WORKER: tuple[Kind, ...] = (*LOST, "pause worker", "terminate worker")
STORAGE: tuple[Kind, ...] = ("full disk", "file in the way", "locked folder")
WIRE: tuple[Kind, ...] = ("drop", "truncate", "stall", "refuse")

#: The groups of faults, of which a scenario has at most one fault each.
_GROUPS: tuple[tuple[Kind, ...], ...] = (
    _SERVER,
    (*_WORKER, "leave"),
    STORAGE,
    ("interrupt",),
    ("pause generator",),
    ("few descriptors",),
    ("join",),
    *((kind,) for kind in WIRE),
)

_SHARE_AT_START = 0.05

_SAID: dict[Kind, str] = {
    "kill server": "SIGKILL to the server",
    "stop server": "SIGSTOP to the server for good",
    "pause server": "SIGSTOP to the server",
    "restart server": "SIGKILL to the server, which is started again",
    "kill worker": "SIGKILL to a worker",
    "stop worker": "SIGSTOP to a worker for good",
    "pause worker": "SIGSTOP to a worker",
    "terminate worker": "SIGTERM to a worker",
    "leave": "SIGINT to a worker, which leaves",
    "join": "a worker joins",
    "interrupt": "SIGINT to the generator",
    "interrupt at start": "SIGINT to the generator while it starts",
    "pause generator": "SIGSTOP to the generator",
    "full disk": "a full disk for the results",
    "file in the way": "a file where the results folder belongs",
    "locked folder": "the results folder locked by another process",
    "few descriptors": "few file descriptors",
    "drop": "the proxy drops connections",
    "truncate": "the proxy truncates messages",
    "stall": "the proxy forwards nothing",
    "refuse": "the proxy refuses connections",
}


@dataclass(frozen=True)
class Fault:
    """A fault that is done to a run, `at_s` seconds after it began. `for_s` says how long it lasts, None: for good.

    `everybody`: a signal goes to the whole process group, as a terminal sends it. `times`: how often it is sent.
    `share`: of the connections that are there. `limit`: of file descriptors.
    """

    kind: Kind
    at_s: float = 0.0
    for_s: float | None = None
    everybody: bool = True
    times: int = 1
    share: float = 0.0
    limit: int = 0

    def __str__(self) -> str:
        said = _SAID[self.kind]
        if self.kind == "few descriptors":
            return f"{said}, {self.limit}"
        if self.kind in ("interrupt", "interrupt at start"):
            said += f" ({'group' if self.everybody else 'first process'}{', twice' if self.times > 1 else ''})"
        if self.kind in ("drop", "truncate"):
            said += f" ({self.share:.0%})"
        if self.kind not in STORAGE:
            said += f" at {self.at_s:.1f} s"
        return said if self.for_s is None else f"{said} for {self.for_s:.1f} s"


@dataclass(frozen=True)
class Scenario:
    """A run of the chaos test. `rate_per_s` None is a closed load; then users wait `wait_s` after each reply.

    `own_service`: the generator starts the service itself. `delay_ms` and `jitter_ms` are of each way through the
    proxy. `spawning_s` is how long Locust takes to spawn the users.
    """

    seed: int
    number: int
    layout: Layout
    users: int
    spawning_s: int
    transports: tuple[Transport, ...]
    run_time_s: int
    rate_per_s: int | None = None
    arrivals: Literal["poisson", "constant"] = "poisson"
    wait_s: float = 0.0
    own_service: bool = False
    proxied: bool = False
    delay_ms: int = 0
    jitter_ms: int = 0
    faults: tuple[Fault, ...] = ()

    @property
    def spawn_rate(self) -> float:
        """The number of users that Locust starts in a second."""
        return self.users / self.spawning_s if self.spawning_s else self.users

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of its faults."""
        return frozenset(fault.kind for fault in self.faults)

    @property
    def duration_s(self) -> float:
        """The time that such a run takes, about, from start to end, in seconds: to plan by."""
        return self.run_time_s + 10.0

    @property
    def limit_s(self) -> float:
        """The time after the test began at which all processes have to be gone, on a busy machine, in seconds.

        A run that takes longer hangs. The time is the sum of these:

        - the run time;
        - two reply timeouts for a session to end, and another two for `on_stop`;
        - 10 s for the messages of a master and its workers;
        - 5 s for what is ended by force;
        - all pauses;
        - 20 s to look at git, store and show the result, and stop the service;
        - 30 s for a folder that stays locked.
        """
        pauses_s = sum(fault.for_s or 0.0 for fault in self.faults if fault.kind not in STORAGE)
        locked_s = 30.0 if "locked folder" in self.kinds else 0.0
        return self.run_time_s + 4 * REPLY_TIMEOUT_S + 10.0 + 5.0 + pauses_s + 20.0 + locked_s

    def fault(self, kind: Kind) -> Fault | None:
        """Return its fault of that kind; None if it has none."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

    def __str__(self) -> str:
        load = f"{self.arrivals} {self.rate_per_s}/s" if self.rate_per_s else f"closed, wait {self.wait_s:g} s"
        layout = {"single": "one process", "forked": "--processes 2", "apart": "master and 2 workers"}[self.layout]
        service = "own service" if self.own_service else "service apart"
        if self.proxied:
            service += f" behind a proxy (+{self.delay_ms} ms, jitter {self.jitter_ms} ms)"
        spawning = f" within {self.spawning_s} s" if self.spawning_s else ""
        said = f"{load}, {self.users} users{spawning} ({' and '.join(self.transports)}), {layout}, {service},"
        faults = "; ".join(map(str, self.faults)) or "no fault"
        return f"{said} {self.run_time_s} s: {faults}"


def draw(seed: int, number: int) -> Scenario:
    """Draw the scenario with that number of a seed."""
    # not the sum of the two: neighbouring seeds would share most of their scenarios
    drawn = random.Random(f"{seed}/{number}")
    layout: Layout = drawn.choices(("single", "forked", "apart"), (4, 3, 3))[0]
    own_service = drawn.random() < 0.15
    proxied = not own_service and drawn.random() < 0.5
    transports: tuple[Transport, ...] = tuple(drawn.sample(TRANSPORTS, drawn.choice((1, 1, 2))))
    scenario = Scenario(
        seed=seed,
        number=number,
        layout=layout,
        users=drawn.choice((4, 10, 20, 30)),
        spawning_s=drawn.choice((0, 0, 3)),
        transports=transports,
        run_time_s=drawn.randint(6, 12),
        rate_per_s=drawn.choice((None, None, 40, 200)),
        arrivals=drawn.choice(("poisson", "constant")),
        wait_s=drawn.choice((0.0, 0.02, 0.1)),
        own_service=own_service,
        proxied=proxied,
        delay_ms=drawn.choice((0, 2, 20)) if proxied else 0,
        jitter_ms=drawn.choice((0, 0, 10)) if proxied else 0,
    )
    return _with_faults(scenario, drawn)


def _with_faults(scenario: Scenario, drawn: random.Random) -> Scenario:
    number = drawn.choices((0, 1, 2, 3), (8, 50, 27, 15))[0]
    faults: list[Fault] = []
    for group in drawn.sample(_GROUPS, len(_GROUPS)):
        possible = [kind for kind in group if _is_possible(kind, scenario)]
        if possible and len(faults) < number:
            faults.append(_fault(drawn.choice(possible), scenario, drawn))
    if drawn.random() < _SHARE_AT_START:  # nothing else happens in such a run
        faults = [_fault("interrupt at start", scenario, drawn)]
    kinds = {fault.kind for fault in faults}
    if "few descriptors" in kinds:
        scenario = replace(scenario, users=60)
    if "join" in kinds:  # to start a process takes seconds
        scenario = replace(scenario, run_time_s=12)
    # A pause of the generator counts within the window: once all users are there, and over before the end. It is left
    # out if a worker is to be stopped or paused: to let all go on would wake that worker.
    if any(fault.kind in ("stop worker", "pause worker") for fault in faults):
        faults = [fault for fault in faults if fault.kind != "pause generator"]
    pauses = [fault for fault in faults if fault.kind == "pause generator"]
    if pauses:
        scenario = replace(scenario, run_time_s=12)
        at_s = round(scenario.spawning_s + drawn.uniform(2.0, 3.0), 1)
        faults = [replace(fault, at_s=at_s) if fault in pauses else fault for fault in faults]
    # After an interrupt there is nothing left to harm.
    before = [fault for fault in faults if fault.kind != "interrupt" and fault.kind not in STORAGE]
    last_s = max((fault.at_s + (fault.for_s or 0.0) + 1.5 for fault in before), default=0.0)
    faults = [replace(fault, at_s=max(fault.at_s, last_s)) if fault.kind == "interrupt" else fault for fault in faults]
    return replace(scenario, faults=tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.kind))))


def _is_possible(kind: Kind, scenario: Scenario) -> bool:
    if kind in _WORKER:
        return scenario.layout != "single"
    if kind in ("join", "leave"):
        return scenario.layout == "apart"
    if kind in WIRE:
        return scenario.proxied
    if kind == "few descriptors":  # messages between processes need some as well, in Locust's own code
        return scenario.layout == "single" and not scenario.own_service
    if kind in ("stop server", "pause server", "restart server"):
        return not scenario.own_service
    return True


def _fault(kind: Kind, scenario: Scenario, drawn: random.Random) -> Fault:
    until_s = scenario.run_time_s - 1.5
    at_s = round(drawn.uniform(0.3, until_s), 1)
    if kind in (*_WORKER, "restart server", "refuse") and drawn.random() < 0.3:  # while users are spawned
        at_s = round(drawn.uniform(0.0, 0.3), 2)
    match kind:
        case "pause server":
            return Fault(kind, at_s, round(drawn.uniform(1.0, 4.0), 1))
        case "restart server":
            return Fault(kind, at_s, round(drawn.uniform(0.2, 2.0), 1))
        case "pause worker" | "pause generator":
            return Fault(kind, at_s, round(drawn.uniform(2.0, 4.0), 1))
        case "join":
            return Fault(kind, round(drawn.uniform(0.3, 3.0), 1))
        case "interrupt":
            at_s = round(drawn.uniform(1.0, until_s), 1)
            return Fault(kind, at_s, everybody=drawn.random() < 0.5, times=drawn.choice((1, 1, 2)))
        case "interrupt at start":
            return Fault(kind, round(drawn.uniform(0.2, 1.5), 2), everybody=drawn.random() < 0.5)
        case "locked folder":
            return Fault(kind, 0.0, drawn.choice((None, scenario.run_time_s + 2.0)))
        case "few descriptors":
            return Fault(kind, limit=drawn.choice((64, 80, 100)))
        case "drop" | "truncate":
            return Fault(kind, at_s, share=drawn.choice((0.3, 1.0)))
        case "stall" | "refuse":
            return Fault(kind, at_s, round(drawn.uniform(0.5, 3.0), 1))
        case _:
            return Fault(kind, at_s)
