"""Scenarios: descriptions, as data, of the work that a client does and of what is measured of it."""
