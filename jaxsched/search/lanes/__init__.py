"""Lanes: many trainings in one compiled program, and what keeps them filled."""
