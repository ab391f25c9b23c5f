"""What is printed: tables of runs, comparisons, listings, plans, contact sheets."""
