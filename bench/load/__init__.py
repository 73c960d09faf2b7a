"""Locust's side. Only this package and locustfile.py import locust, whose import patches the process for gevent."""
