"""The round trips of the shop, described once for all uses."""

from pathlib import Path

from bench import Connection, RoundTrip
from bench.wire.tls import Tls

connection = Connection(tls=Tls(ca_file=str(Path(__file__).with_name("certificates") / "ca.pem")))

add = RoundTrip("add", emit="add", data={"id": "{token}", "item": "apple"}, reply="added")
checkout = RoundTrip("checkout", emit="checkout")
