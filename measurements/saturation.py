"""A generator driven into saturation and back, by either receive clock: its delays, its figures, its own verdict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.results.lateness import Lateness
from bench.results.load import LoadResult
from bench.targets.process import EchoProcess
from measurements.between_runs import hogs
from measurements.load_drift import one_run


@contextmanager
def hogs_beside_the_generator(number: int) -> Iterator[None]:
    """Run busy processes on the generator's core meanwhile; they inherit it from this thread."""
    with pinned_to(generator_cores()[:1] if number else ()):
        starting = hogs(number)
        starting.__enter__()
    try:
        yield
    finally:
        starting.__exit__(None, None, None)


def _words(lateness: Lateness | None) -> str:
    if lateness is None:
        return "-"
    return f"p50 {lateness.p50 / 1e3:,.1f} ms, p99 {lateness.p99 / 1e3:,.1f} ms"


def _print(words: str, result: LoadResult) -> None:
    generator = result.generator
    late = generator.send_lateness_us
    what = "send lateness" if late is not None else "loop lag"
    (service,) = (row.service_us for row in result.operations if row.kind == "round trip")
    print(f"{words}: {what} {_words(late or generator.loop_lag_us)}; ", end="")
    if service is not None and service.p50 is not None and service.p99 is not None:
        print(f"service time p50 {service.p50 / 1e3:,.1f} ms, p99 {service.p99 / 1e3:,.1f} ms; ", end="")
    if generator.reading_delay_us is not None:
        print(f"unread {_words(generator.reading_delay_us)}; ", end="")
    print(generator.verdict, end="")
    print(f" ({generator.reason}; spoils {', '.join(generator.spoils)})" if generator.reason else "", flush=True)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.saturation", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each load (10)")
    options = parser.parse_args()
    for clock, asking in (("process", ["--process-clock"]), ("kernel", [])):
        _measure(clock, [*asking, "--run-time", f"{options.seconds}s"])
    return 0


def _measure(clock: str, arguments: list[str]) -> None:
    for rate, busy in ((500, 0), (1000, 0), (3000, 0), (3000, 3), (100_000, 0)):
        with hogs_beside_the_generator(busy):
            result = one_run([*arguments, "--users", "20", "--spawn-rate", "20", "--rate", str(rate)])
        _print(f"{clock}: {rate:,} arrivals/s" + (f" beside {busy} busy loops" if busy else ""), result)
    with EchoProcess(core=server_core()) as echo:
        host = ["--host", echo.url, "--users", "1000", "--spawn-rate", "1000"]
        _print(f"{clock}: 1,000 closed users, bare echo server", one_run([*arguments, *host]))
    _print(
        f"{clock}: 1,000 closed users, the service", one_run([*arguments, "--users", "1000", "--spawn-rate", "1000"])
    )


if __name__ == "__main__":
    sys.exit(main())
