"""Programs that make the published figures again. Each prints the figures of docs/measurements.md.

Rules: `python -m measurements NAME` runs the commands of a section of that page, as `make measure WHAT=NAME` does. A
program uses the project as users do where it can, by its commands and stored results. Nothing of `bench` imports it.
"""
