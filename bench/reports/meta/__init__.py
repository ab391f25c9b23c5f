"""A benchmark of the benchmark: which metric orders methods as the truth does, in a world that knows it (``bench meta``)."""
