"""Several loads on one page: curves over each other, and runs on one axis."""

from bench.report.load_charts.several import NamedLoad, charts_of_several
from tests.support.example_loads import open_load, row, stage
from tests.support.example_results import load_result


def test_a_single_load_is_not_compared() -> None:
    assert charts_of_several([NamedLoad("load/1", open_load())]) == ()


def test_common_operations_are_over_each_other() -> None:
    first = open_load(how_many=2)
    second = open_load(operations=(row("operation 1"), row("other")))
    percentiles, over_time = charts_of_several([NamedLoad("load/1", first), NamedLoad("load/2", second)])
    assert [(panel.title, [series.label for series in panel.series]) for panel in percentiles.panels] == [
        ("operation 1, response time", ["load/1", "load/2"])
    ]
    assert [panel.title for panel in over_time.panels] == ["Throughput", "p99 of all operations", "CPU of the service"]
    for panel in over_time.panels:
        assert [series.label for series in panel.series] == ["load/1", "load/2"]


def test_an_open_and_a_closed_load_have_service_times_in_common() -> None:
    closed = load_result(operations=(row("say", response_us=None, response_histogram=None),))
    percentiles, over_time = charts_of_several([NamedLoad("a", open_load()), NamedLoad("b", closed)])
    assert [panel.title for panel in percentiles.panels] == ["say, service time"]
    assert "Times of open loads are response times" in over_time.caption


def test_loads_with_stages_have_their_curves_over_each_other() -> None:
    stages = (stage("100", 100.0, 0, 5), stage("200", 200.0, 5, 10))
    loads = [NamedLoad(name, open_load(stages=stages)) for name in ("a", "b")]
    by_rate = charts_of_several(loads)[-1]
    assert by_rate.name == "runs-by-rate"
    assert [point.x for point in by_rate.panels[1].series[1].points] == [100.0, 200.0]


def test_of_many_runs_the_first_are_drawn() -> None:
    loads = [NamedLoad(f"load/{number}", open_load(3)) for number in range(12)]
    for chart in charts_of_several(loads):
        assert max(len(panel.series) for panel in chart.panels) == 8
        assert "It shows the first 8 of 12 runs." in chart.caption


def test_loads_with_nothing_in_common_share_the_axis_of_time() -> None:
    loads = [NamedLoad("a", open_load(how_many=1)), NamedLoad("b", open_load(how_many=2))]
    assert [chart.name for chart in charts_of_several(loads)] == ["runs-over-time"]
