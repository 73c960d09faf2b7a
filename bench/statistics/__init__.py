"""Estimates, stopping rules, verdicts and change points. Pure: no files, no clock, no event loop."""
