"""Seconds of the processor in place of the clock's, for a run on a machine that does much other work.

A run without worker processes reads the same clock for its trials, its limits and its own time: all of it counts what
this process uses.
"""

from __future__ import annotations

import time

from mfbo.settings import Settings


def count_processor_time() -> Settings:
    """Have this process count seconds of the processor, of one thread, and what a run needs to be of this process."""
    import torch

    time.perf_counter = time.monotonic = time.process_time
    torch.set_num_threads(1)
    return Settings(workers=0)
