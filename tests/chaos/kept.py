"""The drawn runs that found something once; they run first."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.scenario import Kind


@dataclass(frozen=True)
class Kept:
    """A run by its seed and number. `kinds` are its faults: where the drawing changes, another run has to be found."""

    seed: int
    number: int
    kinds: frozenset[Kind]


KEPT_SEEDS: tuple[Kept, ...] = ()
