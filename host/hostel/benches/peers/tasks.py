"""The task that peers.py measures, the same function for all who execute Python."""


def add_one(x: int) -> int:
    return x + 1
