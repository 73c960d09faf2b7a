"""Everything that measures: latency, load, and the comparison of stored results."""

import sys

from bench.compiled import enable
from bench.machine.system import unsupported

if reason := unsupported():
    sys.exit(reason)
enable()
