"""Socket.IO to a server: two clients behind an interface, a conversation without I/O, transports, a codec.

Of the project, this package imports `machine` and `printable`.
"""
