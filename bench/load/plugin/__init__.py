"""Locust's side of the load: options, users, the owner of a run, its workers, and the page."""
