"""The FOO→BAR service that is measured out of the box. Imports nothing of `bench`."""
