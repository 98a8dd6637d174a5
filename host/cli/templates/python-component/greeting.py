"""What the component computes."""


def greeting(name: str) -> str:
    """Greets someone."""
    return f"Hello, {name}!"
