"""Functions of Python source, called in a sandbox."""
