"""The table of a load run: whole at any width, in a file as on a terminal; and figures as text."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from example_results import distribution, load_result, operation
from rich.console import Console

from bench.report.figures import measured, microseconds, per_second, printable, ratio
from bench.report.load_table import load_table
from bench.results.figure import Figure, Unit
from bench.results.load import Generator, LoadResult, Scenario, Window

LARGE: dict[str, Any] = {"scheduled": 12_345_678, "sent": 12_345_678, "ok": 12_345_668}


def shown(result: LoadResult, width: int = 80) -> list[str]:
    written = io.StringIO()
    load_table(result, Console(file=written, width=width))
    return written.getvalue().splitlines()


class TestFigures:
    @pytest.mark.parametrize(
        ("value_us", "text"),
        [
            (0.0, "0.0"),
            (0.04, "0.0"),
            (133.44, "133.4"),
            (999.94, "999.9"),
            (999.96, "1,000"),
            (1000.0, "1,000"),
            (12345678.9, "12,345,679"),
        ],
    )
    def test_microseconds(self, value_us: float, text: str) -> None:
        assert microseconds(Figure(value_us)) == text

    @pytest.mark.parametrize(
        ("limit_us", "text"),
        [(500_000, "> 500 ms"), (1_500_000, "> 1.5 s"), (60_000_000, "> 60 s"), (900, "> 900 µs"), (1000, "> 1 ms")],
    )
    def test_beyond_a_limit(self, limit_us: float, text: str) -> None:
        assert microseconds(Figure(limit_us, "above")) == text

    def test_what_is_not_known(self) -> None:
        assert microseconds(None) == per_second(None) == ratio(None) == measured(None, Unit.COUNT) == "-"

    def test_rates_counts_and_ratios(self) -> None:
        assert (per_second(3.14), per_second(99.96), per_second(12345.6)) == ("3.1", "100", "12,346")
        assert measured(Figure(12345), Unit.COUNT) == "12,345"
        assert measured(Figure(12345.6), Unit.PER_SECOND) == "12,346"
        assert (ratio(Figure(1.0506)), ratio(Figure(5, "above")), ratio(Figure(0.2, "below"))) == (
            "1.051",
            "> 5.000",
            "< 0.200",
        )

    def test_names_cannot_steer_the_terminal(self) -> None:
        assert printable("a\x1b[31mb\nc") == "a�[31mb�c"


class TestLoadTable:
    def test_at_80_columns(self) -> None:
        connect = operation(
            "connect",
            scheduled=50,
            sent=50,
            ok=50,
            timeouts=0,
            errors={},
            unfinished=0,
            late=0,
            throughput_per_s=None,
        )
        result = load_result(operations=(connect, operation(**LARGE)))
        assert shown(result) == [
            "operation        sent          ok  timeouts  errors  unfinished  late  per second",
            "connect            50          50         0       0           0     0           -",
            "FOO → BAR  12,345,678  12,345,668         3       6           1     2       1,000",
            "",
            "µs of service time    p50    p90    p99  p99.9     max",
            "connect             131.4  240.0  1,234  5,000  12,345",
            "FOO → BAR           131.4  240.0  1,234  5,000  12,345",
            "",
            "error                    count",
            "FOO → BAR: disconnected      5",
            "FOO → BAR: REJECTED          1",
            "",
            "closed model: service time only, coordinated omission not avoided",
            "generator ok",
        ]

    def test_one_table_where_it_fits(self) -> None:
        heading, row, *_ = shown(load_result(), width=120)
        assert " ".join(heading.split()) == (
            "µs of service time sent ok timeouts errors unfinished late per second p50 p90 p99 p99.9 max"
        )
        assert " ".join(row.split()) == "FOO → BAR 1,010 1,000 3 6 1 2 1,000 131.4 240.0 1,234 5,000 12,345"
        assert len(heading) == len(row)

    @pytest.mark.parametrize("width", [1, 20, 79])
    def test_nothing_is_cut_where_the_terminal_is_too_narrow(self, width: int) -> None:
        lines = shown(load_result(operations=(operation(**LARGE),)), width)
        assert lines[0].startswith("operation ")
        assert "12,345,678  12,345,668" in lines[1]
        assert not any("…" in line for line in lines)

    def test_censored_times_and_dropped_emissions(self) -> None:
        censored = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0)
        scenario = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=1000, transport="websocket")
        measured_open = operation(scheduled=1015, dropped=5, service_us=censored, response_us=distribution(p50=150.0))
        lines = shown(load_result(scenario=scenario, operations=(measured_open,)), width=200)
        assert lines[0].split()[:3] == ["operation", "dropped", "sent"]
        assert lines[3].startswith("µs of response time")
        assert lines[4].split()[3] == "150.0"
        assert lines[6].startswith("µs of service time")
        assert lines[7].endswith("240.0  > 500 ms  > 500 ms  > 500 ms")
        assert not any("coordinated omission" in line for line in lines)

    @pytest.mark.parametrize(
        ("changed", "line"),
        [
            (
                {"generator": Generator(processes=1, verdict="saturated", reason="CPU share 99 %")},
                "generator saturated: CPU share 99 %; the figures are the generator's, not the service's",
            ),
            ({"partial": True, "partial_reason": "no report from a"}, "partial result: no report from a"),
            ({"forced": True}, "ended by force: outstanding replies were not awaited"),
            (
                {"window": Window(start_s=3, end_s=3, warmup_s=0)},
                "no steady window: the run ended before its users were there and warm: no times, no throughput",
            ),
        ],
    )
    def test_what_limits_the_figures_is_said(self, changed: dict[str, Any], line: str) -> None:
        assert line in shown(load_result(**changed))

    def test_nothing_was_measured(self) -> None:
        assert shown(load_result(operations=()))[0].startswith("operation")

    def test_markup_in_names_is_text(self) -> None:
        named = operation("[bold]echo[/bold]", errors={"[red]lost[/]": 6})
        lines = shown(load_result(operations=(named,)))
        assert lines[1].startswith("[bold]echo[/bold]  1,010")
        assert "[bold]echo[/bold]: [red]lost[/]      6" in lines

    def test_inside_a_process_that_is_patched_for_gevent(self) -> None:
        code = (
            "import gevent.monkey; gevent.monkey.patch_all(); import sys, threading;"
            f"sys.path.insert(0, {str(Path(__file__).parent)!r});"
            "from example_results import load_result; from rich.console import Console;"
            "from bench.report.load_table import load_table;"
            "load_table(load_result(), Console()); print(threading.active_count())"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
        assert said.stdout.startswith("operation"), said.stderr
        assert said.stdout.endswith("generator ok\n1\n")
        assert "\x1b" not in said.stdout
