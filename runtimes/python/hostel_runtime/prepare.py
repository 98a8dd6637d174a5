"""What is done once, when the component is built: its memory afterwards is where each call begins."""

import asyncio
import contextlib
import importlib
import io
import pkgutil
import random
import sys
import time
import warnings

# Programs, tests, and what opens windows or browsers.
_LEFT_OUT = {"__main__", "antigravity", "this", "idlelib", "test", "tkinter", "turtle", "turtledemo", "ensurepip", "venv", "lib2to3"}

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


def _import_all():
    for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
        if not name.startswith("_test"):
            _import_with_parts(name)


def _import_with_parts(name):
    module = _try(name)
    for part in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if part.name not in {"__main__", "tests", "test"}:
            _import_with_parts(f"{name}.{part.name}")


def _try(name):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except BaseException:  # what a module says that cannot work in a sandbox, whatever it is
        return None


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
    inspect.signature(_try).bind("json")
    try:
        raise ValueError from KeyError()
    except ValueError as error:
        traceback.format_exception(error)
    asyncio.run(asyncio.sleep(0))


_import_all()
_make_random_lazy()
asyncio.new_event_loop = asyncio.events.new_event_loop = Loop
_warm_up()
