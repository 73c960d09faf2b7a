"""The same work done by other load generators: the CPU time and the memory that each pays for a round trip.

Each generator has the same number of connections to the same echo server. On each connection it sends, waits for the
reply, and sends again at once. The server and the kernel count what is compared, never the tools. The latency that a
tool reports stands beside it. Each generator has a file, behind the interface in peer.py; the programs that they run
are in programs/.
"""
