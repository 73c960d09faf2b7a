"""The old place of what `bench.wire.errors` contains."""

from bench.wire.errors import *  # noqa: F403
