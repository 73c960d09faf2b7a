"""Stored results: what they hold (model), where they lie (store), where they were measured (environment)."""
