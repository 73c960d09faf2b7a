"""`bench accuracy --wire`: what load generators report, beside what an independent observer saw on the loopback.

The observer is a process of its own with a packet socket. The kernel stamps each packet, and the observer matches
emissions and replies by their tokens. Nothing that a generator or the server does is part of that.

- packets.py takes captured frames apart, streams.py puts a connection's bytes in order, frames.py finds the messages of
  WebSocket in them, and sightings.py matches these by token: pure, without a socket and a clock.
- ring.py captures, and observer.py is the process that does.
- client.py is the program of ours that is judged, and tools.py has all the tools.
- measuring.py runs them, differences.py computes figures from what was seen and what was reported.

**The copies of a packet.** The loopback shows each packet twice: as it leaves the sender (`PACKET_OUTGOING`), and as it
comes in (`PACKET_HOST`). An emission's time is that of the copy that leaves. A reply's time is that of the copy that
comes in. Between the two copies of a reply lies little more than the time that the capture itself takes.
"""
