"""`bench load`: what `locust -f FILE` does, in any folder, and without a locustfile."""

import os
import sys

import typer

from bench.commands.passing_on import PassingOn

command_class = PassingOn


def load(context: typer.Context) -> int:
    """Simulate many clients at once, by Locust.

    It does what `locust -f FILE` does: Locust's options are passed on. With --scenarios FILE it needs no locustfile.
    """
    # The import of Locust patches the process, before anything else is imported. So Locust has a process that begins
    # anew, in place of this one: with the same id, and so with the same signals and exit code. `-P` keeps a folder
    # `bench` of the user's own from being imported.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "bench.load", *context.args])
