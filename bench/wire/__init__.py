"""Socket.IO to a server: a sans-I/O codec, two clients behind one interface. Of the project, it imports `printable`."""
