"""Objectives: what must hold of a service, as people type it, and what a measurement says of it. Pure."""
