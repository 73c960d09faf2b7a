"""The validation of the tool: its figures beside a known truth, beside other load generators, and beside itself."""
