"""The locustfile of `bench load --scenarios FILE`. Locust loads it by its path, before it reads the command line."""

import sys

from bench.load.plugin.command import scenarios_asked
from bench.load.plugin.options import MisuseError
from bench.printable import printable

try:
    ScenariosUser = scenarios_asked()
except MisuseError as error:
    sys.stderr.write(f"bench: error: {printable(str(error))}\n")
    sys.exit(2)
