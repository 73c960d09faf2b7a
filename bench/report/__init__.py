"""Results for people: tables. A reporter takes results and something to write to, and knows nothing else."""
