"""What `pytest bench` collects, and what it needs for that: options, stages, the measuring itself, and the storage."""
