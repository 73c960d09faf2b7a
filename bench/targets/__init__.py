"""Servers of known behaviour, for tests and for calibration."""

#: The SHA-256 of the source of control.py. Stored results are compared by their ratios to that service, so a change of
#: the file would make all of them void.
CONTROL_SHA256 = "4c2f047afde692b7e81a182b2562cbff98cade554f8aba91dd0eac2d5c3f9504"
