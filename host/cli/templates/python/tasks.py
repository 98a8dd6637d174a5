"""Every function in this file is a task."""


def hello(name: str) -> str:
    """Greets someone."""
    return f"Hello, {name}!"
