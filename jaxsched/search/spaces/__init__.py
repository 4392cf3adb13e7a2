"""Spaces: schedules with dimensions in place of numbers, and what is drawn of them."""
