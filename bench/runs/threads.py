"""How many threads compute what a run holds: one."""

from __future__ import annotations


def one_thread() -> None:
    """Have torch compute with one thread in this process, as whatever makes, scores or repeats images does.

    Sums are then split the same way on every machine and with any number of workers. Workers, not threads, fill a CPU.
    """
    import torch

    torch.set_num_threads(1)
