"""The number of things that a chart shows at most, so that a page with all charts of a long run stays small."""

#: The number of seconds of the run's course. A page is about a thousand pixels wide.
MOST_SECONDS = 240

#: The number of seconds where each operation has its own points.
MOST_SECONDS_OF_OPERATIONS = 120

#: The number of operations that have lines of their own.
MOST_OPERATIONS_DRAWN = 6

#: The number of columns and of rows of a heat map.
MOST_COLUMNS, MOST_ROWS = 60, 24

#: The number of runs that are drawn over each other.
MOST_RUNS = 8

#: The number of kinds of errors that have bars of their own.
MOST_ERRORS = 5
