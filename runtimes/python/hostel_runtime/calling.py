"""One function of a source, called."""

import asyncio
import inspect
import linecache
import sys
import traceback
import types

from . import describing, values
from .failure import Failed, syntax
from .prepare import MODULES
from .texts import cut, printable

# A traceback is for people, who do not read more.
MAX_TRACEBACK = 64 * 1024


def call(file, source, function, positional, named):
    """The result of a function as data."""
    arguments = [_argument(text, f"argument {index + 1}") for index, text in enumerate(positional)]
    keywords = {name: _argument(text, f"argument `{name}`") for name, text in named}
    try:
        code = compile(source, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise syntax(error, source) from None
    except (RecursionError, MemoryError):
        raise syntax(ValueError("the source is nested too deep"), source) from None
    # Tracebacks show these lines.
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    try:
        # Encoding executes code of the source, too: classes of its own iterate and compare.
        return values.encode(_result(file, source, code, function, arguments, keywords))
    except Failed:
        raise
    except values.NoData as error:
        raise Failed("no_data", str(error)) from None
    except BaseException as error:  # SystemExit, too: there is no process to end
        raise _thrown(file, error) from None
    finally:
        _flush()


def _result(file, source, code, function, arguments, keywords):
    module = types.ModuleType(file.rsplit("/", 1)[-1].removesuffix(".py"))
    module.__file__ = file
    # Dataclasses, pickles and annotations look their module up.
    sys.modules[module.__name__] = module
    sys.argv = [file]
    # When the runtime was built there was no such directory, which was remembered.
    sys.path_importer_cache.pop(MODULES, None)
    exec(code, module.__dict__)
    target = module.__dict__.get(function)
    if not callable(target):
        raise Failed("no_function", [found.name for found in describing.functions(file, source)])
    _check(target, arguments, keywords)
    result = target(*arguments, **keywords)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result):
    return await result


def _argument(text, what):
    try:
        return values.decode(text)
    except values.NoData as error:
        raise Failed("arguments", f"{what}: {error}") from None


def _check(target, arguments, keywords):
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        # Some functions in C have none, and complain themselves.
        return
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        raise Failed("arguments", str(error)) from None


def _thrown(file, error):
    # The frames of this module are not the user's.
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != file:
        trace = trace.tb_next
    try:
        message = str(error)
    except BaseException:
        message = "(its text cannot be made)"
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException:
        lines = traceback.format_tb(trace)
    return Failed("thrown", cut(type(error).__qualname__), cut(message), printable("".join(lines))[:MAX_TRACEBACK].rstrip("\n"))


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # the program has closed or replaced it
            pass
