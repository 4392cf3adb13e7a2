"""The engine: many trainings in one compiled program, and the loop that fills it."""
