"""The metrics of a load: scraped by a real Prometheus, which answers every query of the dashboard."""

import json
import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.folders import ROOT
from tests.support.locust_process import LIMIT_S, LocustProcess, operation, run, wait_until
from tests.support.ports import free_port

DASHBOARD = ROOT / "deploy/grafana/socketio-bench.json"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[httpx.Client]:
    """Start Debian's Prometheus, which scrapes these targets each second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed: apt-get install prometheus")
    port = free_port()
    config = folder / "prometheus.yml"
    scraped = {"job_name": "socketio-bench", "static_configs": [{"targets": targets}]}
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scraped]}))
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command.append("--enable-feature=exemplar-storage")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as client:
                wait_until(lambda: _is_ready(client), "Prometheus is ready")
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def queried(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def has_data(rows: list[dict[str, Any]]) -> bool:
    """Return true if there is a number among the values: a quotient of nothing is none."""
    return any(not math.isnan(float(row["value"][1])) for row in rows)


def dashboard_queries() -> list[str]:
    """Return the queries of the dashboard as Grafana sends them, with all of everything chosen."""
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    for name, value in {"$__rate_interval": "5s", "$instance": ".*", "$operation": ".*"}.items():
        queries = [query.replace(name, value) for query in queries]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
            queries.append(f"count by ({label}) ({metric})")
    assert not [query for query in queries if "$" in query]
    return queries


@pytest.mark.slow
def test_prometheus_scrapes_a_run_of_workers_and_answers_every_query_of_the_dashboard(tmp_path: Path) -> None:
    port = free_port()
    load = ("BroadcastUser", "--users", "4", "--spawn-rate", "4", "--rate", "40", "--processes", "2", "--slowest", "5")
    with (
        prometheus(tmp_path, [f"127.0.0.1:{port}"]) as client,
        LocustProcess(tmp_path, *load, "--metrics", f"127.0.0.1:{port}") as locust,
    ):
        ok = 'sum(socketio_bench_operations_total{kind="round trip",outcome="ok"})'
        wait_until(lambda: any(float(row["value"][1]) > 300 for row in queried(client, ok)), "some hundred replies")
        unanswered = [query for query in dashboard_queries() if not has_data(queried(client, query))]
        exemplars = client.get(
            "/api/v1/query_exemplars",
            params={
                "query": "socketio_bench_response_time_seconds_bucket",
                "start": time.time() - 60,
                "end": time.time(),
            },
        ).json()["data"]
        offered = queried(client, "socketio_bench_offered_rate_per_second")
        locust.interrupt()
        assert locust.wait() == 0, locust.output
        answered = operation(locust.result(), "FOO→BAR").ok
        most = queried(client, 'max_over_time(socketio_bench_operations_total{kind="round trip",outcome="ok"}[10m])')
    assert not unanswered
    assert "out-of-order exemplars" not in (tmp_path / "prometheus.log").read_text()
    assert all(exemplar["labels"]["token"] for series in exemplars for exemplar in series["exemplars"])
    assert exemplars, "the slowest can be found by their tokens"
    assert [float(row["value"][1]) for row in offered] == [40]
    assert 300 < float(most[0]["value"][1]) <= answered


def test_the_metrics_of_a_run_are_those_of_its_result(tmp_path: Path) -> None:
    """And OpenMetrics' own parser reads them. The run ends in between: its figures stay."""
    port = free_port()
    with LocustProcess(
        *(tmp_path, "--web-port", str(port), "--autostart", "--users", "3", "--spawn-rate", "3", "--rate", "60"),
        *("--run-time", "3s"),
        headless=False,
    ) as locust:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page:
            wait_until(lambda: bool(locust.results()), "the result is stored")
            wait_until(lambda: page.get("/socketio-bench/live.json").json()["state"] == "ended", "the page knows it")
            scraped = page.get("/metrics", headers=OPENMETRICS)
            assert page.get("/metrics", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        locust.interrupt()
        assert locust.wait() == 0, locust.output
    assert scraped.headers["Content-Type"].startswith("application/openmetrics-text; version=")
    assert scraped.text.endswith("# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    samples = {
        (sample.name, sample.labels.get("operation", ""), sample.labels.get("outcome", sample.labels.get("le", ""))): (
            sample.value
        )
        for family in families.values()
        for sample in family.samples
    }
    row = operation(locust.result())
    name = row.name
    assert samples["socketio_bench_operations_total", name, "ok"] == row.ok
    assert samples["socketio_bench_service_time_seconds_count", name, ""] == row.ok
    assert samples["socketio_bench_response_time_seconds_bucket", name, "+Inf"] == row.ok
    assert samples["socketio_bench_operations_total", "connect", "ok"] == 3
    assert samples["socketio_bench_test_running", "", ""] == 0
    assert "socketio_bench_users" not in families, "nobody is there any more"


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, locust = run(tmp_path, "--users", "1", "--run-time", "1s", "--metrics", f"127.0.0.1:{port}")
    assert code == 2, locust.output
    assert f"--metrics cannot listen on 127.0.0.1, port {port}: " in locust.output
    assert "Traceback" not in locust.output
