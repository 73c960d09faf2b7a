"""The delays of `bench accuracy` at higher rates, at which emissions wait for each other in the generator."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from bench.report.formats.text import print_document
from bench.validation.accuracy import scenarios
from bench.validation.accuracy.check import check
from bench.validation.accuracy.document import accuracy_document

_DELAYS = ("delay-2ms", "delay-5ms", "delay-20ms")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.accuracy_rates", description=__doc__)
    parser.add_argument("--rates", default="2000,4000", help="arrivals per second (2000,4000)")
    parser.add_argument("--quick", action="store_true", help="a second each, which judges counts alone")
    options = parser.parse_args()
    for rate in map(int, options.rates.split(",")):
        scenarios._RATE_PER_S = rate
        print(f"{rate:,} arrivals/s", flush=True)
        result = check(_DELAYS, quick=options.quick, with_peers=False, keep_awake=True, tell=lambda line: None)
        print_document(accuracy_document(result), Console(width=160))
    return 0


if __name__ == "__main__":
    sys.exit(main())
