"""A process that is interrupted several times."""

import subprocess
import sys


def test_a_later_one_ends_the_process() -> None:
    code = (
        "import signal, bench.machine.interrupts as i\n"
        "i.HASTE_S = 0\n"
        "i.take_interrupts(i.Patient())\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        print('first', flush=True)\n"
        "print('never')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "first\n")
    assert ended.stderr == "interrupted again: ended at once\n"
