"""The counts of a load run: recorded, added up, merged and judged. Pure: neither locust nor sockets."""
