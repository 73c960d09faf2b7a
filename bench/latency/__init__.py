"""What `pytest bench` collects, and what it needs for that: options, testbeds, the measuring itself, and the storage."""
