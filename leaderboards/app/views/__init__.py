"""The pages, one a file, each a function ``show``."""
