"""The end of a server's log, as errors show it."""

from bench.server.error import last_words

CAUSE = """message async handler error
Traceback (most recent call last):
  File "chat.py", line 9, in connect
    raise KeyError("user-table")
KeyError: 'user-table'
"""
OF_OUR_CLIENT = """message async handler error
Traceback (most recent call last):
  File "packet.py", line 110, in decode
    self.packet_type = int(ep[0:1])
                       ^^^^^^^^^^^^
ValueError: invalid literal for int() with base 10: b'\\x82'
"""


def test_an_error_that_our_client_caused_does_not_hide_the_cause() -> None:
    assert last_words(CAUSE + OF_OUR_CLIENT).endswith("KeyError: 'user-table'")
    assert last_words(OF_OUR_CLIENT + CAUSE).endswith("KeyError: 'user-table'")
    assert last_words(OF_OUR_CLIENT) == ""
    assert last_words(OF_OUR_CLIENT.replace("x82", "x02")).endswith("b'\\x02'")
