"""The folders that tests read from."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).parents[2]

DATA = ROOT / "tests" / "data"
#: Services that tests start.
APPS = DATA / "apps"
#: Users that tests run under Locust.
LOCUSTFILES = DATA / "locustfiles"
#: Scripts for Node, and the packages that `make test` installs for them.
NODE = DATA / "node"
#: Files that other versions or other programs wrote.
SAMPLES = DATA / "samples"
