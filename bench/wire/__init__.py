"""Socket.IO to a server: a sans-I/O codec and two clients behind one interface. Imports nothing of the project."""
