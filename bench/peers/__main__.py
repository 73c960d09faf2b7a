"""`python -m bench.peers`, which lies in bench/validation."""

import sys

from bench.validation.peers.__main__ import main

sys.exit(main())
