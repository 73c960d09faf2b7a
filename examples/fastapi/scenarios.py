"""The round trips of the mounted Socket.IO app, described once for all uses."""

from bench import Connection, RoundTrip

connection = Connection(socketio_path="ws/socket.io")

quote = RoundTrip("quote", emit="quote", data={"id": "{token}", "symbol": "ACME"}, reply="price")
order = RoundTrip("order", emit="order", data={"symbol": "ACME", "pieces": 10})
