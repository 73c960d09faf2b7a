"""`bench accuracy`: what we report of servers whose truth is known, against that truth, and what others report of them.

The servers are bench/targets: they delay, stall and lose as asked, and count what they did. Each of our runs is a real
`locust` process, and what is judged is the result that it stored, read as any user's. What is true follows in truths.py
from the server's own account and from closed forms, by pure functions; scenarios.py says what is run and held against
what; measuring.py runs it; what others do on the same servers is in peers.py. What the tools run is in programs/ here,
and in those of bench/validation/peers.
"""
