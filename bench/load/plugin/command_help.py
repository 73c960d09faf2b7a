"""The help of `bench load`: the options of Locust and ours, in groups of what they are for, in 80 columns."""

from __future__ import annotations

import argparse
import copy
import textwrap
from collections.abc import Iterable, Mapping

from locust.argument_parser import LocustArgumentParser

#: The columns of the help.
WIDTH = 80

#: The groups, in order, with the options in each by their names in Locust's namespace.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "what the users do": ("scenarios", "tasks", "locustfile", "user_classes"),
    "the service (one of --app, --serve and --host)": ("app", "serve", "ready_url", "start_timeout", "host"),
    "how much load": ("num_users", "spawn_rate", "run_time", "processes", "warmup", "stop_timeout"),
    "open load": ("rate", "arrivals", "seed", "max_in_flight", "max_wait"),
    "what has to hold, and how sure": ("until", "slo", "slo_undecided", "slo_abort", "junit"),
    "results": (
        "results",
        "report",
        "label",
        "note",
        "process_clock",
        "breakdown",
        "trace_context",
        "slowest",
        "only_summary",
        "no_progress",
        "metrics",
        "html_file",
        "csv_prefix",
        "json_file",
        "exit_code_on_error",
    ),
}
_CONNECTION = "how a client connects"

#: The words for options of Locust that mean something else here, or that Locust explains at length.
_WORDS = {
    "locustfile": "the Python file with the users, or several with commas between them, or a folder [locustfile.py]",
    "user_classes": "the user classes of the locustfile to run, at the end of the command line [all of them]",
    "host": "the server that runs already, as in http://127.0.0.1:8000",
    "num_users": "the number of users [10]",
    "spawn_rate": "how many users start in a second [100]",
    "run_time": "how long the run takes from its beginning, as in 30s, 20m or 1h30m [30s after all users have started; "
    "the end of --rate's stages]",
    "processes": "how many processes the users are spread over; -1 is as many as the machine has cores",
    "headless": "run without the page; the default here unless --web or --autostart is given",
    "config": "a file with more of these options, as locust.conf",
    "web_login": "protect the page with a login page, see Locust's documentation on authentication",
    "only_summary": "show a line of how the load goes on, in place of Locust's tables, while it runs; the default here",
    "print_stats": "print Locust's tables while the load runs, and at its end",
}

_EXAMPLES = """examples:
  bench load --scenarios chat_scenarios.py --app chat:app --users 50 \\
      --rate 200 --run-time 1m
  bench load --scenarios shop.py --serve 'node server.js {port}' \\
      --tasks add:3,pay
  bench load -f locustfile.py --host https://staging.example.com --web

A name in brackets such as [LOCUST_USERS] is the variable of the environment
that says the same. So do the files ~/.locust.conf, locust.conf, and
pyproject.toml under [tool.locust]. The command line comes first, then
variables, then files."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """A formatter that breaks no word: no URL, and no option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH, max_help_position=26)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def help_text(parser: LocustArgumentParser, known: frozenset[str] = frozenset()) -> str:
    """Return the help. Options that are not among `known`, if there are any, are those of the locustfile."""
    actions = {
        action.dest: _explained(action)
        for action in parser._actions
        if action.help != argparse.SUPPRESS and action.dest != "help"
    }
    formatter = _Formatter("bench load")
    formatter.add_usage("%(prog)s [options] [UserClass ...]", [], [])
    formatter.add_text(
        "Simulate many Socket.IO clients at once, by Locust. The result is stored under\n"
        "results/load. Without --web the load begins at once."
    )
    if of_file := [actions.pop(dest) for dest in list(actions) if known and dest not in known]:
        _add(formatter, "of the locustfile", of_file)
    for title, names in _GROUPS.items():
        _add(formatter, title, [actions.pop(name) for name in names if name in actions])
    connecting = [dest for dest in actions if dest.startswith("connection_") or dest == "source_addresses"]
    _add(formatter, _CONNECTION, [actions.pop(dest) for dest in connecting])
    _add(formatter, "the page", [actions.pop(dest) for dest in ("web", "headless") if dest in actions])
    for group in parser._action_groups:
        members = [actions.pop(action.dest) for action in group._group_actions if action.dest in actions]
        _add(formatter, f"Locust: {str(group.title).lower()}", members)
    formatter.add_text(_EXAMPLES)
    return formatter.format_help().rstrip()


def _add(formatter: argparse.HelpFormatter, title: str, actions: Iterable[argparse.Action]) -> None:
    formatter.start_section(title)
    formatter.add_arguments(list(actions))
    formatter.end_section()


def _explained(action: argparse.Action) -> argparse.Action:
    """Return an option with the words that explain it here, and the name of its variable."""
    shown = copy.copy(action)
    variable = getattr(action, "env_var", None)
    words = _WORDS.get(action.dest, action.help or "")
    shown.help = f"{words} [{variable}]" if variable else words
    return shown
