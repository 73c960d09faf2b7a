"""The metrics of a load for Prometheus: made from the load's own histograms and counts when somebody scrapes.

Nothing here is called for a sample. Histograms have fixed buckets, so that rates over scrapes make sense; the counts
within them come from the load's own histograms, whose precision is 0.1 %. A new test begins its counters at 0, as a
process does that has been started again: Prometheus knows that as a reset, and `_created` tells when. After a test its
figures stay until the next test begins.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gevent import pywsgi

from bench.load.metrics.live import operations_of, times_of
from bench.load.plugin.live_view import LiveTest, LiveView
from bench.load.plugin.options import MisuseError
from bench.results.load import REPLIED_KINDS, OperationKey
from bench.timing.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)

_NS_PER_S = 1e9

#: The limits of the buckets in nanoseconds: five in each decade, from 10 µs to 100 s.
BUCKETS_NS = (
    *(round(digits * 10**power) for power in range(4, 11) for digits in (1, 1.6, 2.5, 4, 6.3)),
    100_000_000_000,
)

_MISSING = (
    "the metrics need the package prometheus-client: install the extra `metrics`, as in "
    "pip install 'socketio-bench[metrics]'"
)

_LABELS = ("operation", "kind")


def exposition(view: LiveView, accept: str = "") -> tuple[bytes, str]:
    """Return the metrics in the form that `accept`, an Accept header, asks for, and its content type.

    Raises MisuseError if the package that writes them is missing.
    """
    check_available()
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(view))
    encode, content_type = choose_encoder(accept)
    text: bytes = encode(registry)
    return text, content_type


def check_available() -> None:
    """Raise MisuseError if the package that writes metrics is missing."""
    try:
        import prometheus_client  # noqa: F401  # late: only who wants metrics has to have it
    except ImportError:
        raise MisuseError(_MISSING) from None


class _Collector:
    """The metrics of one scrape."""

    def __init__(self, view: LiveView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. A failure to find some out leaves them out, and never spoils the test."""
        from prometheus_client.core import GaugeMetricFamily

        yield GaugeMetricFamily("socketio_bench_test_running", "1 while a test is on", value=self._view.is_on)
        test = self._view.test
        if test is None:
            return
        for part in (_generator, _outcomes, _times, _unasked):
            try:
                yield from list(part(test))
            except Exception:
                logger.exception("some metrics of the load are left out")


def _generator(test: LiveTest) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    figures = test.figures()
    yield GaugeMetricFamily(
        "socketio_bench_test_started_timestamp_seconds", "When the test began", value=test.started_unix_s
    )
    yield GaugeMetricFamily("socketio_bench_generator_processes", "Generator processes", value=figures.heard)
    if figures.has_verdict:
        yield GaugeMetricFamily(
            "socketio_bench_generator_saturated",
            "1 if the generator cannot keep up, by the steady window so far: its figures are not the service's",
            value=figures.saturation is not None,
        )
    now = figures.now
    if now is None or test.has_ended:
        return
    yield GaugeMetricFamily("socketio_bench_users", "Users that are there", value=now.users)
    if now.offered_per_s is not None:
        yield GaugeMetricFamily(
            "socketio_bench_offered_rate_per_second", "The rate that the schedule asks for", value=now.offered_per_s
        )
    if now.lateness_p99_us is not None:
        yield GaugeMetricFamily(
            "socketio_bench_send_lateness_p99_seconds",
            "How late emissions leave, by their schedule: the 99th percentile of the last seconds",
            value=now.lateness_p99_us / 1e6,
        )
    if now.cpu_share is not None:
        yield GaugeMetricFamily(
            "socketio_bench_generator_cpu_cores", "The share of a core of the busiest process", value=now.cpu_share
        )


def _outcomes(test: LiveTest) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    ended = CounterMetricFamily(
        "socketio_bench_operations", "Operations that ended or were dropped, by outcome", labels=[*_LABELS, "outcome"]
    )
    in_flight = GaugeMetricFamily("socketio_bench_in_flight", "Operations that have not ended yet", labels=_LABELS)
    pending = Counter[OperationKey]() if test.has_ended else test.view.in_flight()
    for key, operation in operations_of(test.processes()).items():
        counts = {
            "ok": operation.ok,
            "timeout": operation.timeouts,
            "error": operation.errors,
            "dropped": operation.dropped,
        }
        for outcome, number in counts.items():
            ended.add_metric([*_labels(key), outcome], number, created=test.started_unix_s)
        if not test.has_ended:
            in_flight.add_metric(_labels(key), pending[key])
    yield ended
    if not test.has_ended:
        yield in_flight


def _times(test: LiveTest) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    service = HistogramMetricFamily(
        "socketio_bench_service_time_seconds", "Received minus sent, of what ended well", labels=_LABELS
    )
    response = HistogramMetricFamily(
        "socketio_bench_response_time_seconds", "Received minus intended, of what ended well", labels=_LABELS
    )
    for key, times in times_of(test.processes()).items():
        _add(service, key, times.service)
        if key.kind in REPLIED_KINDS and times.response.count:
            _add(response, key, times.response)
    yield service
    yield response


def _add(family: Any, key: OperationKey, times: Histogram) -> None:
    numbers = times.counts_up_to(BUCKETS_NS)
    buckets = [(_seconds(limit_ns), number) for limit_ns, number in zip(BUCKETS_NS, numbers, strict=True)]
    family.add_metric(_labels(key), [*buckets, ("+Inf", times.count)], times.sum_ns / _NS_PER_S)


def _unasked(test: LiveTest) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily("socketio_bench_unasked_events", "Events that came unasked", labels=["event"])
    found: dict[str, int] = {}
    for process in test.processes():
        for name, number in process.unasked_so_far().items():
            found[name] = found.get(name, 0) + number
    for name, number in found.items():
        family.add_metric([name], number, created=test.started_unix_s)
    yield family


def _labels(key: OperationKey) -> list[str]:
    return [key.name, key.kind]


def _seconds(limit_ns: int) -> str:
    return f"{limit_ns / _NS_PER_S:.10g}" if limit_ns % 1_000_000_000 else f"{limit_ns // 1_000_000_000}.0"


# ---------------------------------------------------------------------- a server of its own


def metrics_address(text: str) -> tuple[str, int] | None:
    """Return host and port of `--metrics`; None if it is empty. Raises MisuseError."""
    text = text.strip()
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise MisuseError(f"--metrics {text!r}: expected an address of this machine and a port, as in 127.0.0.1:9100")
    return ("" if host == "*" else host), int(port)


class MetricsServer:
    """A web server that has the metrics alone, for a load without Locust's page or beside it."""

    def __init__(self, address: tuple[str, int], view: LiveView) -> None:
        """Listen. Raises MisuseError if that is not possible, or the package that writes metrics is missing."""
        check_available()
        host, port = address
        self._view = view
        try:
            family, _, _, _, place = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.create_server(place[:2], family=family, reuse_port=False)
        except OSError as error:
            reason = error.strerror or str(error)
            raise MisuseError(
                f"--metrics cannot listen on {host or '*'}, port {port}: {reason}: end what listens there, or choose "
                "another port"
            ) from None
        self._server = pywsgi.WSGIServer(listener, self._answer, log=None, error_log=logger)
        self._server.start()
        logger.info("Metrics at http://%s:%d/metrics", f"[{host}]" if ":" in host else host or "0.0.0.0", port)

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop(timeout=0)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", "GET, HEAD")])
            return [b"only GET\n"]
        if environ["PATH_INFO"] not in ("/metrics", "/metrics/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"the metrics are at /metrics\n"]
        text, content_type = exposition(self._view, environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type), ("Cache-Control", "no-store")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else text]
