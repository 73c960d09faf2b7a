"""`python -m bench.peers.capacity`: the old name of `bench connections`."""

import sys

from bench.__main__ import main

sys.argv[1:1] = ["connections"]
main()
