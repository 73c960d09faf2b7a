"""`python -m bench.selfcheck`: the old name of `bench selfcheck`."""

import sys

from bench.__main__ import main

sys.argv[1:1] = ["selfcheck"]
main()
