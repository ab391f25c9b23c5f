"""The verbs of this package, mounted on ``bench`` through the entry-point group ``bench.commands``: a file a verb, each thin."""
