"""The old place of `bench.validation.peers`, for commands that name it."""
