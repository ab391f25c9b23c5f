"""Trains everything that the miniature track ships, from nothing: ``python -m training.miniature``."""
