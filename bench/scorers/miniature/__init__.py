"""Scorers of the miniature alone: the world's truth, and proxies of what reads real pictures."""
