"""Suites: versioned, hashed lists of samples. One file a family; `load.py` is the one way in."""
