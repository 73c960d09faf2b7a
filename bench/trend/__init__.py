"""The stored results of many commits as series, with their steps."""
