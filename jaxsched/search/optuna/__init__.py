"""Optuna: its samplers, pruners, studies and databases, in one room."""
