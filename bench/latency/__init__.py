"""The benchmarks of `pytest bench`, with their options, testbeds, measuring and storage."""
