"""The performers of scenarios over one connection."""
