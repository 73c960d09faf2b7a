"""The options that belong to another command, and what to use in their place. Pure: plain text in, plain text out."""

from collections.abc import Mapping

#: The options of a load that `pytest bench` and `bench ab` do not have.
_OF_A_LOAD = (
    "--locustfile",
    "--headless",
    "--users",
    "--spawn-rate",
    "--run-time",
    "--rate",
    "--arrivals",
    "--processes",
    "--warmup",
)

#: The options of `bench ab` that no other command has.
_OF_AB = ("--prepare", "--link", "--env-per-rev", "--precision", "--max-time")

_TWO_COMMITS = "it belongs to `bench ab`, which compares two commits"

_JUDGING = "it belongs to `bench ab` and `bench compare`, which judge differences"

#: What to do instead, by the command's name and the option.
_INSTEAD: dict[str, dict[str, str]] = {
    "pytest bench": {
        **dict.fromkeys(
            _OF_A_LOAD, "`pytest bench` times a connection at a time; a load is `locust -f FILE {option} …`"
        ),
        **dict.fromkeys(_OF_AB, _TWO_COMMITS),
        "--until": "use --effort, which says how much `pytest bench` measures",
        "--max-time": "use --effort, which says how much `pytest bench` measures",
        "--precision": "use --effort, which says how much `pytest bench` measures",
        "--threshold": _JUDGING,
        "--benchmarks": "use -k, which selects by the words in the benchmarks' names",
        "--json": "use --benchmark-json",
        "--slowest": "a load names the slowest round trips; here --trace-context alone has an effect",
    },
    "locust": {
        **dict.fromkeys(_OF_AB, _TWO_COMMITS),
        **dict.fromkeys(
            ("--event", "--reply", "--payload"), "a locustfile says it, as a RoundTrip(…) that its tasks perform"
        ),
        "--threshold": _JUDGING,
        "--url": "use --host, which names a service that runs already",
        "--scenarios": "`bench load` has it; a locustfile, named with -f, imports what it needs of a scenarios file",
        "--tasks": "`bench load --scenarios FILE` has it",
        "--web": "`bench load` has it; `locust` has the page unless --headless is given",
        "--effort": "use --run-time, which says how long the load lasts",
        "--max-time": "use --run-time, which says how long the load lasts",
        "--reply-timeout": "a class of users says it, as `reply_timeout = 5`",
    },
    "bench ab": {
        **dict.fromkeys(
            _OF_A_LOAD,
            "`bench ab` times a connection to each commit; for a load run `locust` with each, and then `bench compare`",
        ),
        **dict.fromkeys(
            ("--url", "--host"),
            "`bench ab` starts the service of each commit itself; say how with --app MODULE:ATTR, or with "
            "--serve 'COMMAND {{port}}'",
        ),
        "--trace-context": "`bench ab` times services as they are; `pytest bench` and loads send trace contexts",
        "--until": "use --precision, which says how sure `bench ab` has to be",
        "-k": "use --benchmarks, with names and commas between them",
        "--effort": "use --precision and --max-time, which say how much `bench ab` measures",
        "--server-processes": "`bench ab` starts new processes of both services, as --precision and --max-time say",
    },
}


def misplaced_options(command: str) -> Mapping[str, str]:
    """Return the options that people give to a command and that belong to another, each with what to do instead."""
    return {option: text.format(option=option) for option, text in _INSTEAD.get(command, {}).items()}


def misplaced(command: str, option: str) -> str | None:
    """Return an error of one line for an option that belongs to another command; None for any other option."""
    instead = misplaced_options(command).get(option)
    return None if instead is None else f"{command} has no {option}: {instead}"
