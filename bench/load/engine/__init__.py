"""asyncio's side of the load: the event loop in a thread of its own, and the sessions that it drives."""
