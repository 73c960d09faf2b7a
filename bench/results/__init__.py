"""Stored results: their forms, their places and names, and the machine and commit that they are of."""
