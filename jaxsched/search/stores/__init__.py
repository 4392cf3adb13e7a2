"""Stores: where the trials of a search are kept."""

from .base import Store as Store, StoreError as StoreError
from .sqlite import SQLiteStore as SQLiteStore
