"""A module for each peer."""
