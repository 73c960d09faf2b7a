"""The control's source: small, and frozen."""

import hashlib

from bench.targets import CONTROL_SHA256
from tests.support.folders import ROOT

SOURCE = ROOT / "bench/targets/control.py"


def test_it_is_frozen() -> None:
    changed = "control.py has changed: every stored ratio to it would be void. Undo the change."
    assert hashlib.sha256(SOURCE.read_bytes()).hexdigest() == CONTROL_SHA256, changed


def test_it_is_small_and_knows_nothing_of_the_service() -> None:
    source = SOURCE.read_text()
    assert len(source.splitlines()) < 40
    imported = {
        line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import", "from"))
    }
    assert imported == {"typing", "socketio"}
