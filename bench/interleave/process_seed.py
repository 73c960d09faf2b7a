"""The seeds of a server process, which differ each time that a process starts.

The layout of a process's memory biases its measurements while it lives (Mytkowicz et al. 2009, "Producing
wrong data without doing anything obviously wrong!", ASPLOS). Two things decide the layout: the seed of Python's hashes
and the size of the environment. `ProcessSeed` draws both anew for each process, the size as hyperfine draws it
(randomized_environment_offset.rs).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random, SystemRandom

_HASH_SEEDS = 2**32
#: A page: the start of the stack varies within it.
_ENVIRONMENT_LIMIT_BYTES = 4096
_PADDING = "BENCH_ENVIRONMENT_OFFSET"


@dataclass(frozen=True)
class ProcessSeed:
    """The hash seed of a process, and the number of bytes by which its environment is larger."""

    hash_seed: int
    environment_bytes: int

    @classmethod
    def drawn(cls, source: Random | None = None) -> ProcessSeed:
        """Return a new seed from `source`, by default from the system's randomness."""
        source = source or SystemRandom()
        # Seed 0 would switch Python's randomisation off.
        return cls(source.randrange(1, _HASH_SEEDS), source.randrange(_ENVIRONMENT_LIMIT_BYTES))

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that give a process this seed."""
        return {"PYTHONHASHSEED": str(self.hash_seed), _PADDING: "x" * self.environment_bytes}
