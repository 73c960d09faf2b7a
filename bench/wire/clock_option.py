"""`--process-clock`: the choice between the kernel's receive times and those of the process, in every command."""

import os

from bench.wire.stamps import PROCESS_CLOCK, use_process_clock

#: The words that explain the option.
PROCESS_CLOCK_HELP = "end a time when this process has read the reply, not when the machine has received it"


def take_process_clock() -> None:
    """Have this process, and all that it starts, take their own time of each message."""
    os.environ[PROCESS_CLOCK] = "1"
    use_process_clock()
