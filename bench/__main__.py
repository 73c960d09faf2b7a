"""The `bench` command's entry point. It imports the modules that load slowly where Ctrl-C does no harm."""

from typing import NoReturn

from bench.machine.interrupts import interrupts_end_the_process
from bench.machine.standard_streams import open_closed_streams


def main() -> NoReturn:
    """Run the command line and exit."""
    open_closed_streams()
    with interrupts_end_the_process():
        from bench.cli import main as run
    run()


if __name__ == "__main__":
    main()
