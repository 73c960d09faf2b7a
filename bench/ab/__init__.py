"""`bench ab`: two commits against each other, live, in alternation."""
