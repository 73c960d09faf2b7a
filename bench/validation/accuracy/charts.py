"""The chart of a check of accuracy: how far our figures are from the truth, as shares of what they may be."""

from bench.report.chart import Axis, Effect, Forest
from bench.report.formatting import counted
from bench.validation.accuracy.model import Accuracy, FigureCheck, Row, Scenario


def accuracy_charts(result: Accuracy) -> tuple[Forest, ...]:
    """Return the chart of all figures that have a bound; none if all figures are exact."""
    effects = tuple(
        effect
        for scenario in result.scenarios
        for row in scenario.rows
        if (effect := _effect(scenario, row)) is not None
    )
    if not effects:
        return ()
    outside = [effect.label for effect in effects if effect.role == "bad"]
    return (
        Forest(
            name="errors",
            title="Our figures beside the truth",
            alt=f"The errors of {counted(len(effects), 'figure')}; outside: {', '.join(outside) or 'none'}.",
            x=Axis("reported minus true, as a share of the bound", "share"),
            effects=effects,
            caption="Between -100 % and +100 % a figure is inside its bound. A bar is the range of all repetitions.",
        ),
    )


def _effect(scenario: Scenario, row: Row) -> Effect | None:
    errors = [error for check in row.repetitions if (error := _share(check)) is not None]
    shown = _share(row.shown)
    if shown is None or row.is_exact:
        return None
    return Effect(
        label=f"{scenario.name}: {row.figure}",
        value=shown,
        low=min(errors),
        high=max(errors),
        role="plain" if row.inside is None else "good" if row.inside else "bad",
        text="not judged" if row.inside is None else "inside" if row.inside else "outside",
    )


def _share(check: FigureCheck) -> float | None:
    """Return the error as a share of the bound; None if either figure is only a bound itself, or must be exact."""
    if check.bound == 0 or check.truth is None or check.ours is None or check.truth.is_above or check.ours.is_above:
        return None
    return (check.ours.value - check.truth.value) / check.bound
