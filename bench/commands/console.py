"""The console of commands. It is apart because rich takes long to import, and the help need not wait for it."""

from rich.console import Console as RichConsole

from bench.commands.output import BROKEN_PIPE


class Console(RichConsole):
    """A console whose reader may stop reading, as `head` does."""

    def on_broken_pipe(self) -> None:
        """End with the exit code of a broken pipe."""
        try:
            super().on_broken_pipe()
        except SystemExit:  # with 1, which is a failed check
            raise SystemExit(BROKEN_PIPE) from None
