"""Drawing charts: a chart as data in, a specification of Vega-Lite or a picture out. It is done here alone."""
