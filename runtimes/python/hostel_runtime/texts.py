"""Texts that leave the runtime."""

# The most bytes of a message, which is for people, who do not read more.
MAX_MESSAGE = 4 * 1024


def printable(part):
    """The text with half surrogate pairs as escapes, for the interface has only Unicode text. Anything else stays as it is."""
    return part.encode("utf-8", "backslashreplace").decode() if isinstance(part, str) else part


def cut(text):
    """The printable text, which ends with `…` if it was longer than a message may be."""
    encoded = printable(text).encode()
    if len(encoded) <= MAX_MESSAGE:
        return encoded.decode()
    return encoded[: MAX_MESSAGE - len("…".encode())].decode(errors="ignore") + "…"
