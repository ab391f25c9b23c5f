"""Suites from files that a user brings: read as they are, checked against what is published, kept outside the repository."""
