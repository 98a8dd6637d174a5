"""Why there is no result."""


class Failed(Exception):
    """`kind` names the case of the interface's `failure`, and `parts` are what it has, in the order of its fields."""

    def __init__(self, kind, *parts):
        super().__init__(kind)
        self.kind = kind
        self.parts = parts


def syntax(error, source):
    """The failure for a SyntaxError, or for the ValueError of a source that cannot be compiled at all."""
    if not isinstance(error, SyntaxError):
        return Failed("syntax", str(error), 1, 1, "")
    line = error.lineno or 1
    lines = source.splitlines()
    text = lines[line - 1] if line <= len(lines) else (error.text or "").rstrip("\n")
    return Failed("syntax", error.msg, line, max(error.offset or 1, 1), text)
