"""Is the tool right? What it reports beside a known truth, beside other load generators, and beside itself."""
