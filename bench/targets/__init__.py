"""Servers of known behaviour, for tests and for calibration."""
