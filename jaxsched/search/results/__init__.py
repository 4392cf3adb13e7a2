"""Results: tables of trials, candidates ranked, and how much the seeds explain."""
