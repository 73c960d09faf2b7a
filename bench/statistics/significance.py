"""The significance of a change point."""

#: The largest share of series without a change that show a step.
SIGNIFICANCE = 0.05
