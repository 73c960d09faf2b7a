"""The chaos test: real load runs, with faults injected at drawn moments, and rules that are true whatever happens.

`python -m tests.chaos` with `tests` on the path (`make chaos`). `scenario` draws, `perform` runs, `judge` finds fault.
"""
