"""`python -m bench.peers.capacity`, which lies in bench/validation."""

import sys

from bench.validation.peers.capacity import main

if __name__ == "__main__":
    sys.exit(main())
