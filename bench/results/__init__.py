"""Stored results: their forms, places and names, and the machine and commit of each."""
