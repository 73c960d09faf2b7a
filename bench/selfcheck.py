"""`python -m bench.selfcheck`, which lies in bench/validation."""

import sys

from bench.validation.selfcheck import main

if __name__ == "__main__":
    sys.exit(main())
