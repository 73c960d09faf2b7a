"""The process that `bench load` becomes. It imports Locust, which changes the process, before anything else."""

from bench.machine.interrupts import interrupts_end_the_process
from bench.machine.standard_streams import open_closed_streams


def main() -> None:
    """Run Locust with the command line of this process."""
    open_closed_streams()
    with interrupts_end_the_process():
        import locust.main  # noqa: F401  # first: it patches the process for gevent

        from bench.load.plugin.command import run
    run()


if __name__ == "__main__":
    main()
