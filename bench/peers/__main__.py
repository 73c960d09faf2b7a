"""`python -m bench.peers`: the old name of `bench peers`."""

import sys

from bench.__main__ import main

sys.argv[1:1] = ["peers"]
main()
