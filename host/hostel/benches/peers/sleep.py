"""The task that memory.py measures: it sleeps until a time of the clock, and returns when it began."""

import time


def sleep_until(x: int, end: float) -> float:
    began = time.time()
    time.sleep(max(0.0, end - began))
    return began
