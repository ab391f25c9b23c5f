"""The store: the only place that knows how a run lies on disk."""
