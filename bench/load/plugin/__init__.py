"""Locust's side of the load: options, users, the master, the workers and the page.

No other part of the load imports locust.
"""
