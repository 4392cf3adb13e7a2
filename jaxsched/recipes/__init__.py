"""Recipes: published schedules, each a composition of leaves and transforms."""
