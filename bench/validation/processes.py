"""The processes of a Locust that a measurement starts."""

from bench.server.address import free_port


def processes_options(processes: int) -> list[str]:
    """Return Locust's options for so many processes; none for one.

    The master gets a port that is free: Locust's own may be taken, by a Locust that somebody else runs.
    """
    if processes == 1:
        return []
    port = str(free_port("0.0.0.0"))
    return ["--processes", str(processes), "--master-bind-port", port, "--master-port", port]
