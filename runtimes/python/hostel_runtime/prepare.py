"""What is done once, when the component is built: its memory afterwards is where each call begins."""

import asyncio
import random
import sys
import time

from . import library

# Each attempt to write one would be denied, and logged.
sys.dont_write_bytecode = True

# Integers have any number of digits; how long a call may compute is limited by the host.
sys.set_int_max_str_digits(0)

# Where a directory is granted whose modules a source imports.
MODULES = "/site"
sys.path.append(MODULES)


class LazyRandom(random.Random):
    """The generator behind the functions of `random`. It asks for a seed at its first number, so that a function that draws none
    is known to be pure."""

    _is_seeded = False

    def seed(self, a=None, version=2):
        self._is_seeded = a is not None
        if self._is_seeded:
            super().seed(a, version)

    def _live(self):
        if not self._is_seeded:
            self._is_seeded = True
            super().seed()

    def random(self):
        self._live()
        return super().random()

    def getrandbits(self, k):
        self._live()
        return super().getrandbits(k)

    def getstate(self):
        self._live()
        return super().getstate()

    def setstate(self, state):
        self._is_seeded = True
        super().setstate(state)


class Loop(asyncio.BaseEventLoop):
    """An event loop without sockets: it sleeps until the next timer. The usual one needs a pair of sockets to wake itself."""

    def __init__(self):
        super().__init__()
        self._selector = self

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("all coroutines wait for each other, and no timer is set: nothing can wake them")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        # There are no other threads that could have to wake it.
        pass


def _make_random_lazy():
    generator = LazyRandom()
    random._inst = generator
    for name in random.__all__:
        if hasattr(random.Random, name) and not isinstance(getattr(random, name), type):
            setattr(random, name, getattr(generator, name))


def _warm_up():
    """Does once what calls do, for what is imported or compiled at its first use."""
    import ast
    import inspect
    import traceback

    ast.unparse(ast.parse("def f(a: int = 1, /, *b, c=lambda: 0, **d) -> None: ..."))
    inspect.signature(_warm_up).bind()
    try:
        raise ValueError from KeyError()
    except ValueError as error:
        traceback.format_exception(error)
    asyncio.run(asyncio.sleep(0))


library.install()
_make_random_lazy()
asyncio.new_event_loop = asyncio.events.new_event_loop = Loop
_warm_up()
