"""`bench accuracy`: the figures that this project and other tools report, beside servers of known behaviour.

The servers are in bench/targets: they delay, stall and lose as asked, and count what they did. Each run of ours is a
real `locust` process. The check judges the result that this process stored, read as any user reads it.

- expected.py derives the true figures from the server's own counts and from closed forms, by pure functions.
- scenarios.py has the loads, their servers, and the figures that are compared with the truth.
- measuring.py runs the scenarios.
- peers.py has the other tools, on the same servers.

The programs that the tools run are in programs/ here, and in those of bench/validation/peers.
"""
