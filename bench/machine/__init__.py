"""The computer under a measurement: its cores, processes, conditions, and what disturbs a measurement.

This package imports nothing of the project but `bench.printable`.
"""
