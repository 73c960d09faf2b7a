"""An echo's median on asyncio's own loop, in a process without gevent and in one that gevent has patched."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from statistics import median

from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.targets.process import EchoProcess

_WARM_UP = 500


def _timed(url: str, number: int, is_patched: bool) -> float:
    if is_patched:
        from gevent import monkey

        monkey.patch_all()
    from measurements.connections import connected

    async def timed() -> float:
        subject = await connected("echo", url)
        await subject.times_ns(_WARM_UP)
        return await subject.median_us(number)

    return asyncio.run(timed())


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.gevent_loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="processes of either kind (5)")
    parser.add_argument("--round-trips", type=int, default=5000, help="round trips of a process (5000)")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--patched", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        print(_timed(options.url, options.round_trips, options.patched))
        return 0
    found: dict[bool, list[float]] = {False: [], True: []}
    with EchoProcess(core=server_core()) as echo, pinned_to(generator_cores()[:1]):
        command = [sys.executable, "-m", "measurements.gevent_loop", "--url", echo.url]
        command += ["--round-trips", str(options.round_trips)]
        for is_patched in (False, True) * options.rounds:
            ended = subprocess.run(
                [*command, *(["--patched"] if is_patched else [])], check=True, capture_output=True, text=True
            )
            found[is_patched].append(float(ended.stdout))
    print(f"without gevent: {median(found[False]):.1f} µs")
    print(f"patched by gevent: {median(found[True]):.1f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
