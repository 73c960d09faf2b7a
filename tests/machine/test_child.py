"""The end of a log, as an error shows it."""

import pytest

from bench.machine.child import last_lines

TRACEBACK = """INFO: up
Traceback (most recent call last):
  File "chat.py", line 3, in say
    data["text"]
    ~~~~^^^^^^^^
KeyError: 'text'
"""
STACK = """up
TypeError: data is undefined
    at say (server.js:3:5)
    at emit (events.js:1:2)

Node.js v22
"""
#: The words of Node 20 about a package that is not installed, and about a port that is in use.
NOT_FOUND = """node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module 'socket.io'
Require stack:
- /srv/chat/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at Module.require (node:internal/modules/cjs/loader:1289:19)
    at Object.<anonymous> (/srv/chat/server.js:2:20)
    at node:internal/main/run_main_module:28:49 {
  code: 'MODULE_NOT_FOUND',
}

Node.js v20.20.2
"""
IN_USE = """      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use 127.0.0.1:3999
    at Server.setupListenHandle [as _listen2] (node:net:1908:16)
    at process.processTicksAndRejections (node:internal/process/task_queues:83:21)
Emitted 'error' event on Server instance at:
    at emitErrorNT (node:net:1944:8)
    at process.processTicksAndRejections (node:internal/process/task_queues:82:21) {
  code: 'EADDRINUSE',
}

Node.js v20.20.2
"""
#: The words of npm 10 about a script that is not there.
NPM = """
> build
npm error Missing script: "build"
npm error
npm error To see a list of scripts, run:
npm error   npm run
npm error A complete log of this run can be found in: /root/.npm/_logs/2026-debug-0.log
"""


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a\nb\n\nc\nd\n", "b | c | d"),
        (TRACEBACK, "data[\"text\"] | ~~~~^^^^^^^^ | KeyError: 'text'"),
        (f"{TRACEBACK}INFO: closed\n", "~~~~^^^^^^^^ | KeyError: 'text' | INFO: closed"),
        (f"{TRACEBACK}INFO: a\nINFO: b\nINFO: c\n", "data[\"text\"] | ~~~~^^^^^^^^ | KeyError: 'text'"),
        ("Traceback (most recent call last):\n  cut", "Traceback (most recent call last): | cut"),
        (TRACEBACK + "INFO: more\n" * 100, "INFO: more | INFO: more | INFO: more"),
        (STACK, "TypeError: data is undefined | at say (server.js:3:5)"),
        (NPM, 'npm error Missing script: "build" | npm error To see a list of scripts, run: | npm error npm run'),
        (NPM + "INFO: up\nINFO: a\nINFO: b\n", "INFO: up | INFO: a | INFO: b"),
        (NOT_FOUND, "Error: Cannot find module 'socket.io' | at Object.<anonymous> (/srv/chat/server.js:2:20)"),
        (
            IN_USE,
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:3999"
            " | at Server.setupListenHandle [as _listen2] (node:net:1908:16)",
        ),
    ],
)
def test_last_lines(log: str, shown: str) -> None:
    assert last_lines(log) == shown
