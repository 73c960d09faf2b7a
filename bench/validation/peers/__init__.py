"""The same work done by other load generators: who pays how much CPU and memory for a round trip.

Each generator holds the same number of connections to the same echo server, and on each of them sends, waits for the
reply, and sends again at once. What is compared is counted by the server and by the kernel, never by the tools; what
the tools say of their own latency is put beside it. One file per generator, behind the interface in peer.py; what they
run is in programs/.
"""
