"""The engine: a plan of work units, a worker that does one, and engines that differ only in who calls the worker."""
