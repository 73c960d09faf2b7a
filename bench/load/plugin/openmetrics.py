"""The metrics of a load for Prometheus: made from the load's own histograms and counts when somebody scrapes.

Nothing here is called for a sample. Histograms have fixed buckets, so that rates over scrapes make sense; the counts
within them come from the load's own histograms, whose precision is 0.1 %. A new test begins its counters at 0, as a
process does that has been started again: Prometheus knows that as a reset, and `_created` tells when. After a test its
figures stay until the next test begins.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gevent import pywsgi

from bench.load.metrics.live import operations_of, times_of
from bench.load.metrics.slowest import Slow
from bench.load.plugin.giving_way import GiveWay, InTurns
from bench.load.plugin.live_view import LiveTest, LiveView
from bench.load.plugin.options import MisuseError
from bench.printable import error_line
from bench.results.load import REPLIED_KINDS, OperationKey
from bench.scenarios.tracing import trace_id
from bench.timing.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric
    from prometheus_client.samples import Exemplar

logger = logging.getLogger(__name__)

_NS_PER_S, _US_PER_S = 1e9, 1e6

#: The beginning of all names.
_PREFIX = "socketio_bench_"

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

#: The characters that the labels of an exemplar may have in all, by OpenMetrics.
_LONGEST_EXEMPLAR = 128

#: The names of labels that have a meaning here, or to Prometheus.
_TAKEN = frozenset((*_LABELS, "outcome", "event", "le", "quantile", "job", "instance"))


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


def label_names(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a run with names that Prometheus takes, and that mean nothing else there."""
    found: dict[str, str] = {}
    for name, value in labels.items():
        fit = name.replace(".", "_").replace("-", "_")
        found.setdefault(f"label_{fit}" if fit in _TAKEN or fit.startswith("__") else fit, value)
    return found


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
        metrics = _Metrics(test)
        give_way = GiveWay()
        for part in (metrics.generator, metrics.outcomes, metrics.times, metrics.unasked):
            try:
                found = list(part())
            except Exception:
                logger.exception("some metrics of the load are left out")
                continue
            for metric in found:
                # Who writes them goes through thousands of samples.
                metric.samples = InTurns(metric.samples, give_way)
            yield from found


class _Metrics:
    """The metrics of one test, each with the labels of its run."""

    def __init__(self, test: LiveTest) -> None:
        self._test = test
        labels = label_names(test.labels)
        self._names, self._values = tuple(labels), tuple(labels.values())

    def generator(self) -> Iterator[Metric]:
        """Yield the gauges of the generator, and of the load as it is now."""
        test = self._test
        figures = test.figures()
        yield self._gauge("test_started_timestamp_seconds", "When the test began", test.started_unix_s)
        yield self._gauge("generator_processes", "Generator processes that are heard of", figures.heard)
        if figures.has_verdict:
            yield self._gauge(
                "generator_saturated",
                "1 if the generator cannot keep up, by the steady window so far: its figures are not the service's",
                figures.saturation is not None,
            )
        now = figures.now
        if now is None or test.has_ended:
            return
        yield self._gauge("users", "Users that are there", now.users)
        if now.offered_per_s is not None:
            yield self._gauge("offered_rate_per_second", "The rate that the schedule asks for", now.offered_per_s)
        if now.lateness_p99_us is not None:
            yield self._gauge(
                "send_lateness_p99_seconds",
                "How late emissions leave, by their schedule: the 99th percentile of the last seconds",
                now.lateness_p99_us / _US_PER_S,
            )
        if now.cpu_share is not None:
            yield self._gauge("generator_cpu_cores", "The share of a core of the busiest process", now.cpu_share)

    def outcomes(self) -> Iterator[Metric]:
        """Yield how the operations ended, and how many have not."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        test = self._test
        ended = CounterMetricFamily(
            f"{_PREFIX}operations",
            "Operations that ended or were dropped, by outcome",
            labels=[*_LABELS, "outcome", *self._names],
        )
        in_flight = GaugeMetricFamily(
            f"{_PREFIX}in_flight", "Operations that have not ended yet", labels=[*_LABELS, *self._names]
        )
        pending = Counter[OperationKey]() if test.has_ended else test.view.in_flight()
        for key, operation in operations_of(test.processes()).items():
            counts = {
                "ok": operation.ok,
                "timeout": operation.timeouts,
                "error": operation.errors,
                "dropped": operation.dropped,
            }
            for outcome, number in counts.items():
                ended.add_metric([*key, outcome, *self._values], number, created=test.started_unix_s)
            in_flight.add_metric([*key, *self._values], pending[key])
        yield ended
        if not test.has_ended:
            yield in_flight

    def times(self) -> Iterator[Metric]:
        """Yield the histograms of the whole run."""
        from prometheus_client.core import HistogramMetricFamily

        labels = [*_LABELS, *self._names]
        service = HistogramMetricFamily(
            f"{_PREFIX}service_time_seconds", "Received minus sent, of what ended well", labels=labels
        )
        response = HistogramMetricFamily(
            f"{_PREFIX}response_time_seconds", "Received minus intended, of what ended well", labels=labels
        )
        slowest = self._slowest()
        for key, times in times_of(self._test.processes()).items():
            slow = slowest.get(key, [])
            self._add(service, key, times.service, [(each.service_ns, each) for each in slow])
            if key.kind in REPLIED_KINDS and times.response.count:
                self._add(response, key, times.response, [(each.response_ns, each) for each in slow])
        yield service
        yield response

    def unasked(self) -> Iterator[Metric]:
        """Yield how many events came unasked."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(
            f"{_PREFIX}unasked_events", "Events that came unasked", labels=["event", *self._names]
        )
        found = Counter[str]()
        for process in self._test.processes():
            found.update(process.unasked_so_far())
        for name, number in found.items():
            family.add_metric([name, *self._values], number, created=self._test.started_unix_s)
        yield family

    def _gauge(self, name: str, documentation: str, value: float) -> Metric:
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(f"{_PREFIX}{name}", documentation, labels=self._names)
        family.add_metric(self._values, value)
        return family

    def _slowest(self) -> dict[OperationKey, list[Slow]]:
        """Return the slowest round trips of each operation, the slowest first."""
        found: dict[OperationKey, list[Slow]] = {}
        for process in self._test.processes():
            for key, slow in process.slowest_so_far().items():
                found.setdefault(key, []).extend(slow)
        return {key: sorted(slow, key=lambda each: -(each.service_ns or 0)) for key, slow in found.items()}

    def _add(
        self,
        family: HistogramMetricFamily,
        key: OperationKey,
        times: Histogram,
        slowest: Sequence[tuple[int | None, Slow]],
    ) -> None:
        """Add the histogram of an operation. The slowest in a bucket is its exemplar.

        A bucket keeps its exemplar until a slower round trip comes that began later, to the millisecond. Prometheus
        takes no exemplar that is older than the last, and a worker may report an older one later.
        """
        numbers = [*times.counts_up_to(BUCKETS_NS), times.count]
        examples: list[Exemplar | None] = [None] * len(numbers)
        for time_ns, slow in slowest:
            place = len(BUCKETS_NS) if time_ns is None else bisect_left(BUCKETS_NS, time_ns)
            if time_ns is not None and examples[place] is None:
                examples[place] = self._exemplar(time_ns, slow)
        for place in range(len(numbers)):
            where = family.name, key, place
            last, found = self._test.exemplars.get(where), examples[place]
            if found is not None and (last is None or _milliseconds(found) > _milliseconds(last)):
                self._test.exemplars[where] = found
            examples[place] = self._test.exemplars.get(where)
        buckets: list[Any] = [
            (limit, number, example) for limit, number, example in zip(_limits(), numbers, examples, strict=True)
        ]
        family.add_metric([*key, *self._values], buckets, times.sum_ns / _NS_PER_S)

    def _exemplar(self, time_ns: int, slow: Slow) -> Exemplar | None:
        from prometheus_client.samples import Exemplar

        labels = {"trace_id": trace_id(slow.token)} if self._test.has_traces else {}
        if sum(map(len, (*labels, *labels.values(), "token", slow.token))) <= _LONGEST_EXEMPLAR:
            labels["token"] = slow.token
        if not labels:
            return None
        return Exemplar(labels, time_ns / _NS_PER_S, self._test.started_unix_s + slow.at_ns / _NS_PER_S)


def _milliseconds(exemplar: Exemplar) -> int:
    """Return the time of an exemplar as Prometheus has it."""
    return int(float(exemplar.timestamp or 0) * 1000)


def _limits() -> list[str]:
    """Return the limits of the buckets, as OpenMetrics writes numbers."""
    from prometheus_client.utils import floatToGoString

    return [*(str(floatToGoString(limit_ns / _NS_PER_S)) for limit_ns in BUCKETS_NS), "+Inf"]


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
            number = error.errno or 0  # those of the resolver are below 0
            reason = os.strerror(number) if number > 0 else error.strerror or str(error)
            # The resolver does not know the host, or the host is no address of this machine.
            is_taken = number == errno.EADDRINUSE
            remedy = "end what listens there, or choose another port" if is_taken else "choose another address"
            raise MisuseError(f"--metrics cannot listen on {host or '*'}, port {port}: {reason}: {remedy}") from None
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
        try:
            text, content_type = exposition(self._view, environ.get("HTTP_ACCEPT", ""))
        except Exception as error:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [f"the metrics cannot be made: {error_line(error)}\n".encode()]
        start_response("200 OK", [("Content-Type", content_type), ("Cache-Control", "no-store")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else text]
