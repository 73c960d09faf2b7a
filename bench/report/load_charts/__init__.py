"""The charts of loads, as data: of a single load, and of several beside each other.

Rules of this package: pure. Results come in, charts go out, and nothing here knows how a chart is drawn. A chart
without a single known value is left out. Of long runs and of many operations the charts show a part, and their captions
say which; the extremes are in it.
"""
