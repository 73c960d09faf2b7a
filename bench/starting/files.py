"""The texts of the first files, made of a description: scenarios, users of a load, a test, and a workflow for CI.

Rules of this file: it is pure. All that a person may have typed goes through `source`, so that each text is valid
Python whatever the events are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.printable import one_line
from bench.scenarios.tokens import TokenKind
from bench.starting.description import Description, DraftClient, DraftRequest, DraftScenario, DraftStep
from bench.starting.source import GIVEN, LINE, Code, Names, comment, quoted, source_of
from bench.starting.target import Target
from bench.starting.workflow import Workflow, workflow_text

#: The code that makes an id of each kind, where nothing fills a placeholder.
_IDS: dict[TokenKind, str] = {
    "token": "uuid4().hex",
    "uuid": "str(uuid4())",
    "int": "str(randrange(2**52, 2**53))",
}

#: The time that the opening of a connection waits for a reply, in seconds.
_REPLY_LIMIT_S = 10

_STEP = "    "

_LINE_END = "\n"


@dataclass(frozen=True)
class Layout:
    """The names of the files. `scenarios` and `locustfile` are modules without `.py`."""

    scenarios: str = "socketio_scenarios"
    locustfile: str = "locustfile.py"
    test: str = "test_socketio.py"
    workflow: str = ".github/workflows/socketio-latency.yml"

    def module_of(self, client: DraftClient) -> str:
        """Return the module with the scenarios of that kind of client."""
        return f"{self.scenarios}_{client.suffix}" if client.suffix else self.scenarios


def all_files(description: Description, target: Target, workflow: Workflow, layout: Layout) -> dict[str, str]:
    """Return the texts by path, in the order in which they are told."""
    files = {
        f"{layout.module_of(client)}.py": scenarios_text(description, client, target, number == 0)
        for number, client in enumerate(description.clients)
    }
    files[layout.locustfile] = locustfile_text(description, target, layout)
    files[layout.test] = test_text(description, target, layout)
    files[layout.workflow] = workflow_text(description, target, workflow, layout.scenarios)
    return files


# --- scenarios ----------------------------------------------------------------------------------------------------


def scenarios_text(description: Description, client: DraftClient, target: Target, is_first: bool = True) -> str:
    """Return the scenarios file of a kind of client."""
    has_requests = bool(client.requests)
    body: list[str] = []
    if target.serve is not None:
        body.append(f"serve = {quoted(target.serve)}\n")
    if client.settings:
        body.append(_call("connection = Connection", client.settings))
    else:
        body.append("connection = Connection()\n")
    body.append(_objectives(client))
    if has_requests:
        body.append(_before_connect(client))
    if _gives(client):
        body.append(f"# The replies that setup keeps. Emissions have what came with them.\n{GIVEN} = {{}}\n")
    body += map(_scenario, client.scenarios)
    if not client.finished:
        body.append(_no_scenario())
    if client.opening or client.answers:
        body.append(_setup(client))
    text = "\n".join(body)
    words = ["Connection"]
    words += ["Emission"] if any(scenario.waits_for_nothing for scenario in client.finished) else []
    words += ["RoundTrip"] if any(scenario.is_timed for scenario in client.finished) else []
    words += ["secret"] if "secret(" in text else []
    standard = _standard_imports(text)
    imports = f"{standard}\n" if standard else ""
    return (
        f'"""The scenarios of {_inert(description.source)}: what is measured, described once for every use.\n\n'
        "A round trip awaits a reply, and is timed. An emission awaits nothing: a load counts it.\n"
        f'"""\n\n{imports}from bench import {", ".join(words)}\n\n' + _remarks(description, client, is_first) + text
    )


def _remarks(description: Description, client: DraftClient, is_first: bool) -> str:
    """Return the comments of the whole file. What was not understood stands in the first file."""
    lines = "".join(comment(sentence) for sentence in client.comments)
    if is_first and description.notes:
        lines += comment("Look at these. They were not understood, or are a guess:")
        lines += "".join(comment(f"- {note}") for note in description.notes)
    return f"{lines}\n" if lines else ""


def _scenario(scenario: DraftScenario) -> str:
    fields: dict[str, Any] = {"emit": scenario.emit}
    if scenario.data is not None:
        fields["data"] = scenario.data
    if scenario.reply:
        fields["reply"] = scenario.reply[0] if len(scenario.reply) == 1 else scenario.reply
    kind = "RoundTrip" if scenario.is_timed else "Emission"
    comments = "".join(comment(sentence) for sentence in scenario.comments)
    call = _call(f"{scenario.variable} = {kind}", fields, quoted(scenario.name))
    return comments + ("".join(f"# {line}\n" for line in call.splitlines()) if scenario.is_unfinished else call)


def _objectives(client: DraftClient) -> str:
    """Return an empty list of objectives, with examples to uncomment: what measurements of this client can judge."""
    examples = ["p99 < 500 ms"] if any(scenario.is_timed for scenario in client.finished) else []
    examples.append("errors < 1 %" if client.finished else "connects >= 100 %")
    lines = "".join(f"{_STEP}# {quoted(example)},\n" for example in examples)
    words = comment("What has to hold: a run that misses an objective ends with exit code 3.")
    words += comment("A run that is too short to be sure says how long it has to be.")
    return f"{words}slo = [\n{lines}]\n"


def _gives(client: DraftClient) -> frozenset[str]:
    """Return the names of the replies that scenarios read when they are performed alone."""
    texts = [source_of(scenario.data) for scenario in client.scenarios]
    kept = [step.keeps for step in client.opening if step.keeps is not None]
    return frozenset(name for name in kept if any(f"{GIVEN}[{quoted(name)}]" in text for text in texts))


def _no_scenario() -> str:
    return (
        "# Describe what a client does. The reply is the event that answers, or else the acknowledgement.\n"
        '# say = RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")\n'
    )


def _before_connect(client: DraftClient) -> str:
    lines = ["", "async def before_connect(http):", f'{_STEP}"""Log in, as the recorded page did."""']
    for request in client.requests:
        lines += _request(request)
    if client.login_settings:
        returned = source_of(dict(client.login_settings), _STEP, len("return "))
        lines.append(f"{_STEP}return {returned}")
    return "\n".join(lines) + "\n\n"


def _request(request: DraftRequest) -> Iterator[str]:
    method = request.method.lower()
    known = method in ("get", "post", "put", "patch", "delete", "head", "options")
    arguments = [source_of(request.url)] if known else [quoted(request.method), source_of(request.url)]
    inner = _STEP * 2
    if request.body_keyword is not None:
        arguments.append(f"{request.body_keyword}={source_of(request.body, inner, len(request.body_keyword) + 1)}")
    if request.headers:
        arguments.append(f"headers={source_of(dict(request.headers), inner, 8)}")
    arguments.append("raise_for_status=True")
    call = f"http.{method if known else 'request'}("
    line = f"{_STEP}async with {call}{', '.join(arguments)}) as response:"
    if len(line) <= LINE and "\n" not in line:
        yield line
    else:
        yield f"{_STEP}async with {call}"
        yield from (f"{inner}{argument}," for argument in arguments)
        yield f"{_STEP}) as response:"
    if request.variable is not None:
        yield f"{inner}{request.variable} = await response.json()"
    else:
        yield f"{inner}await response.read()"


def _setup(client: DraftClient) -> str:
    lines = ["", "async def setup(client):", f'{_STEP}"""Begin each connection, as the recorded page did."""']
    for event, answer in client.answers.items():
        returned = source_of(answer, _STEP, len(f'client.on("{event}", lambda *arguments: )'))
        lines.append(f"{_STEP}client.on({quoted(event)}, lambda *arguments: {returned})")
    for number, step in enumerate(client.opening):
        scenario = step.scenario
        kept = f"{step.keeps} = " if step.keeps is not None else ""
        data = f"{scenario.variable}.data"
        if step.data is not None:
            data = source_of(_local(step.data), _STEP, LINE // 2)
        if scenario.kinds:
            whole = scenario.variable if step.data is None else f"replace({scenario.variable}, data={data})"
            data = f"{whole}.request({_IDS[scenario.kinds[0]]})"
        if scenario.waits_for_nothing:
            lines.append(f"{_STEP}await client.emit({quoted(scenario.emit)}, {data})")
        elif not scenario.reply:
            lines.append(f"{_STEP}{kept}await client.call({quoted(scenario.emit)}, {data})")
        else:
            heard = f"heard_{number + 1}" if number else "heard"
            lines.append(f"{_STEP}{heard} = asyncio.get_running_loop().create_future()")
            for reply in scenario.reply:
                take = f"lambda *data: {heard}.done() or {heard}.set_result(data)"
                lines.append(f"{_STEP}client.on({quoted(reply)}, {take})")
            lines.append(f"{_STEP}await client.emit({quoted(scenario.emit)}, {data})")
            lines.append(f"{_STEP}{kept}await asyncio.wait_for({heard}, {_REPLY_LIMIT_S})")
            if step.keeps is not None:
                lines.append(f"{_STEP}{step.keeps} = {step.keeps}[0] if len({step.keeps}) == 1 else {step.keeps}")
                if len(scenario.reply) > 1:
                    lines.append(f"{_STEP}{step.keeps} = (None, {step.keeps})  # in place of the event's name")
        if step.keeps in _gives(client):
            lines.append(f"{_STEP}{GIVEN}[{quoted(step.keeps or '')}] = {step.keeps}")
    return "\n".join(lines) + "\n"


def _local(data: Any) -> Any:
    """Return data whose code reads replies from local names, not from attributes of a user."""
    if isinstance(data, Code):
        return Code(data.removeprefix("self."))
    if isinstance(data, dict):
        return {key: _local(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(map(_local, data))
    return data


# --- users --------------------------------------------------------------------------------------------------------


def locustfile_text(description: Description, target: Target, layout: Layout) -> str:
    """Return the locustfile: a class of users for each kind of client."""
    names = Names("SocketIOUser", "constant")
    classes = [_user(client, target, layout, names) for client in description.clients]
    text = "\n\n".join(classes)
    words = ["SocketIOUser", *(["on"] if "@on(" in text else []), *(["task"] if "@task" in text else [])]
    modules = "".join(f"import {layout.module_of(client)}\n" for client in description.clients)
    locust = "from dataclasses import replace\n\n" if "replace(" in text else ""
    locust += "from locust import constant\n\n" if "constant(" in text else ""
    serve = f"serve = {layout.module_of(description.clients[0])}.serve\n\n\n" if target.serve is not None else ""
    command = f"bench load -f {layout.locustfile}{target.load_option if target.url is None else ''}"
    return (
        f'"""The users of a load on {_inert(description.source)}: `{_inert(command)}`.\n\n'
        'The scenarios are in a file of their own, which must not import locust.\n"""\n\n'
        f"{locust}{modules}from bench import {', '.join(words)}\n\n{serve or _LINE_END}{text}"
    )


def _user(client: DraftClient, target: Target, layout: Layout, names: Names) -> str:
    module = layout.module_of(client)
    name = names.new(client.suffix, lambda words: words.title().replace("_", "") + "User" if words else "")
    name = "ServiceUser" if not client.suffix else name
    lines = [f"class {name}(SocketIOUser):"]
    played = "that performs each scenario with the same chance"
    if not client.finished:
        played = "that connects and listens"
    elif client.sessions:
        played = "that plays the recorded session over and over"
    lines.append(f'{_STEP}"""A client {played}."""')
    lines.append("")
    if target.url is not None:
        lines.append(f"{_STEP}host = {quoted(target.url)}")
    lines.append(f"{_STEP}connection = {module}.connection")
    lines.append(f"{_STEP}slo = {module}.slo")
    if client.finished:
        wait_s = client.sessions[0].end_s if client.sessions and client.sessions[0].end_s else 1.0
        lines.append(f"{_STEP}wait_time = constant({wait_s:g})")
    if client.requests:
        lines += [
            "",
            f"{_STEP}async def before_connect(self):",
            f'{_STEP * 2}"""Log in, before each attempt to connect."""',
            f"{_STEP * 2}changed = await {module}.before_connect(self.http)",
            f"{_STEP * 2}for name, value in (changed or {{}}).items():",
            f"{_STEP * 3}setattr(self, name, value)",
        ]
    if client.opening:
        lines += ["", f"{_STEP}async def on_connect(self):", f'{_STEP * 2}"""Begin, on each connection."""']
        lines += _steps(client.opening, module)
    methods = Names()
    for event, answer in client.answers.items():
        returned = source_of(answer, _STEP * 2, len("return "))
        lines += [
            "",
            f"{_STEP}@on({quoted(event)})",
            f"{_STEP}def {methods.new(f'answer {event}')}(self, *arguments):",
            f'{_STEP * 2}"""Answer what the server asks, as in the recording."""',
            f"{_STEP * 2}return {returned}",
        ]
    for session in client.sessions:
        lines += [
            "",
            f"{_STEP}@task",
            f"{_STEP}async def {methods.new('play session')}(self):",
            f'{_STEP * 2}"""Play the recorded session, with its times to think."""',
            *_steps(session.steps, module),
        ]
    if not client.sessions:
        for scenario in client.finished:
            lines += [
                "",
                f"{_STEP}@task",
                f"{_STEP}async def {methods.new(f'perform {scenario.variable}')}(self):",
                f'{_STEP * 2}"""{"Perform the round trip" if scenario.is_timed else "Emit the event"}."""',
                *_steps((DraftStep(scenario),), module),
            ]
    if not client.finished:
        lines += [
            "",
            f"{_STEP}# This user connects and listens. Describe scenarios in {module}.py, and perform them here:",
            f"{_STEP}# @task",
            f"{_STEP}# async def say(self):",
            f"{_STEP}#     await self.round_trip({module}.say)",
        ]
    return "\n".join(lines) + "\n"


def _steps(steps: tuple[DraftStep, ...], module: str) -> Iterator[str]:
    for step in steps:
        if step.wait_s:
            yield f"{_STEP * 2}await self.wait({step.wait_s:g})"
        method = "round_trip" if step.scenario.is_timed else "emit"
        kept = f"self.{step.keeps} = " if step.keeps is not None else ""
        scenario = f"{module}.{step.scenario.variable}"
        line = f"{_STEP * 2}{kept}await self.{method}({scenario})"
        if step.data is None:
            yield line
            continue
        whole = f"{_STEP * 2}{kept}await self.{method}(replace({scenario}, data={source_of(step.data)}))"
        if len(whole) <= LINE and "\n" not in whole:
            yield whole
        else:
            yield f"{_STEP * 2}{kept}await self.{method}("
            yield f"{_STEP * 3}replace({scenario}, data={source_of(step.data, _STEP * 3, len(scenario) + 16)})"
            yield f"{_STEP * 2})"


# --- the test -----------------------------------------------------------------------------------------------------


def test_text(description: Description, target: Target, layout: Layout) -> str:
    """Return the test: each scenario that has a reply gets it."""
    modules = {layout.module_of(client): client for client in description.clients}
    has_login = any(client.requests for client in modules.values())
    takes = "URL" if target.url is not None else "server"
    lines: list[str] = []
    if target.app is not None:
        lines += ["", f"pytestmark = pytest.mark.socketio_app({quoted(target.app)})"]
    elif target.url is not None:
        lines += ["", f"URL = {quoted(target.url)}"]
    else:
        lines += ["", *_served(layout.module_of(description.clients[0]))]
    for module, client in modules.items():
        suffix = f"_{client.suffix}" if client.suffix else ""
        timed = [scenario for scenario in client.finished if scenario.is_timed and not scenario.is_dependent]
        lines += ["", ""]
        serve = "socketio_server, " if target.app is not None else "" if target.url is not None else "server, "
        if timed:
            constant = f"SCENARIOS{suffix.upper()}"
            names: list[Any] = [Code(f"{module}.{scenario.variable}") for scenario in timed]
            lines += [
                f"{constant} = {source_of(names, before=len(constant) + 3)}",
                "",
                "",
                f'@pytest.mark.parametrize("scenario", {constant}, ids=lambda scenario: scenario.name)',
                f"def test_reply{suffix}(scenario, {serve}socketio_client, round_trip):",
            ]
        else:
            lines.append(f"def test_connect{suffix}({serve}socketio_client):")
        lines += _test_body(client, module, target, takes, bool(timed))
    body = "\n".join(lines) + "\n"
    standard = _standard_imports(body)
    head = [
        f'"""The service answers each scenario of {_inert(description.source)}: `pytest {layout.test}`."""',
        "",
        *([standard] if standard else []),
        *(["import aiohttp"] if has_login else []),
        "import pytest",
        *(["from bench.server import CommandProcess, ServeCommand"] if target.serve is not None else []),
        "",
        *_imports(modules, bool(description.variables)),
    ]
    return "\n".join(head) + "\n" + body


def _served(module: str) -> list[str]:
    """Return the lines of the fixture that starts the service by its command."""
    return [
        "",
        '@pytest.fixture(scope="module")',
        "def server():",
        f'{_STEP}"""The service, started by its command for these tests."""',
        f"{_STEP}with CommandProcess(ServeCommand({module}.serve, Path(__file__).parent)) as started:",
        f"{_STEP * 2}yield started",
    ]


def _standard_imports(text: str) -> str:
    """Return the imports of the standard library that a text needs."""
    lines = "import asyncio\n" if "asyncio." in text else ""
    lines += "from dataclasses import replace\n" if "replace(" in text else ""
    lines += "from pathlib import Path\n" if "Path(" in text else ""
    lines += "from random import randrange\n" if "randrange(" in text else ""
    lines += "from uuid import uuid4\n" if "uuid4()" in text else ""
    return lines


def _imports(modules: Iterable[str], reads_secrets: bool) -> Iterator[str]:
    """Yield the lines that import the scenarios. Without their secrets the tests are skipped, not broken."""
    indent = _STEP if reads_secrets else ""
    if reads_secrets:
        yield "try:"
    yield from (f"{indent}import {module}" for module in modules)
    if reads_secrets:
        yield "except ValueError as missing:  # a variable of the environment that a scenario reads"
        yield f"{_STEP}pytest.skip(str(missing), allow_module_level=True)"


def _test_body(client: DraftClient, module: str, target: Target, takes: str, is_timed: bool) -> Iterator[str]:
    """Yield the body. It runs its own loop, so that it needs no other plugin of pytest."""
    name = "replies" if is_timed else "connects"
    yield f"{_STEP}async def {name}():"
    indent = _STEP * 2
    if target.app is not None:
        yield f"{indent}async with socketio_server() as server:"
        indent += _STEP
    where = "URL" if target.url is not None else "server.url"
    settings = ""
    if client.requests:
        yield f"{indent}jar = aiohttp.CookieJar(unsafe=True)  # it takes cookies of an IP address, too"
        yield f"{indent}async with aiohttp.ClientSession({where}, cookie_jar=jar) as http:"
        yield f"{indent}{_STEP}settings = await {module}.before_connect(http) or {{}}"
        if "cookies" not in client.settings:
            yield f'{indent}settings["cookies"] = {{cookie.key: cookie.value for cookie in jar}}'
        settings = ", **settings"
    yield f"{indent}async with socketio_client({takes}, {module}.connection{settings}) as client:"
    indent += _STEP
    for step in client.opening:
        yield f"{indent}{_performed(step, f'{module}.{step.scenario.variable}')}"
        if step.keeps in _gives(client):
            yield f"{indent}{module}.{GIVEN}[{quoted(step.keeps or '')}] = {step.keeps}"
    yield f"{indent}await round_trip(client, scenario)" if is_timed else f"{indent}assert client.connected"
    yield ""
    yield f"{_STEP}asyncio.run({name}())"


def _performed(step: DraftStep, name: str) -> str:
    """Return the line of a test that performs a step of the opening."""
    whole = name if step.data is None else f"replace({name}, data={source_of(_local(step.data))})"
    if step.scenario.is_timed:
        kept = f"{step.keeps} = " if step.keeps is not None else ""
        return f"{kept}await round_trip(client, {whole})"
    request = f"{whole}.request({_IDS[step.scenario.kinds[0]]})" if step.scenario.kinds else f"{whole}.data"
    return f"await client.emit({quoted(step.scenario.emit)}, {request})"


def _inert(text: str) -> str:
    """Return a text that is fit for a docstring."""
    return one_line(text.replace("\\", "/").replace('"', "'"))


def _call(beginning: str, fields: Any, first: str | None = None) -> str:
    """Return a call with keywords, on one line if it is short enough."""
    line = ", ".join([*([first] if first else []), *(f"{name}={source_of(value)}" for name, value in fields.items())])
    if len(beginning) + len(line) + 2 <= LINE and "\n" not in line:
        return f"{beginning}({line})\n"
    lines = [f"{_STEP}{first},\n"] if first else []
    lines += [f"{_STEP}{name}={source_of(value, _STEP, len(name) + 1)},\n" for name, value in fields.items()]
    return f"{beginning}(\n{''.join(lines)})\n"
