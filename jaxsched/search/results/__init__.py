"""Results: what came of it, who is best, and how much of that the seeds explain."""
