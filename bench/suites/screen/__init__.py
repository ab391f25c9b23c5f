"""The parts of the child-safety screen; :mod:`bench.suites.screening` is the way in."""
