"""What `pytest bench` collects."""
