"""Clocks, arrivals and histograms. Pure: no I/O and no event loop. Imports nothing of the project."""
