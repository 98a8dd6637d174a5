"""The standard library, in memory. What many programs import is imported when the runtime is built, so that calls find it ready. As
the memory is copied for each call, modules that few import wait as compressed code, which is executed when they are imported.

A build has two steps: `write` compiles all modules into a file, and `install` takes them from there. A compiler would leave its
traces in the memory that is copied, and they are as large as what it makes."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import marshal
import os
import pkgutil
import sys
import warnings
import zlib

INDEX = os.path.join(os.path.dirname(__file__), "library.index")
CODE = os.path.join(os.path.dirname(__file__), "library.code")

# Programs, tests, and what opens windows or browsers.
_LEFT_OUT = frozenset("__main__ antigravity ensurepip idlelib lib2to3 test tests this tkinter turtle turtledemo venv".split())

# Ready with the modules that they import.
_READY = """
    _strptime argparse array ast asyncio base64 binascii bisect calendar cmath codecs collections.abc colorsys concurrent.futures
    concurrent.futures.thread configparser contextlib contextvars copy csv dataclasses datetime decimal difflib email.message
    email.mime.text email.parser email.policy enum errno fnmatch fractions functools gc getpass gettext glob graphlib gzip hashlib heapq
    hmac html html.parser http.client http.cookies importlib.metadata importlib.resources inspect io ipaddress itertools json keyword
    linecache locale logging math mimetypes multiprocessing numbers operator os pathlib pickle pkgutil platform pprint queue random re
    reprlib sched secrets select shlex shutil signal socket stat statistics string string.templatelib struct subprocess sys sysconfig
    tempfile textwrap threading time timeit tokenize tomllib traceback types typing unicodedata urllib.error urllib.parse urllib.request
    uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
    encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 encodings.raw_unicode_escape encodings.unicode_escape
    encodings.utf_16 encodings.utf_16_be encodings.utf_16_le encodings.utf_32 encodings.utf_8 encodings.utf_8_sig
""".split()


def write():
    """Compiles the modules that are found, and executes none of them."""
    index = {}
    with open(CODE, "wb") as code:
        for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
            if not name.startswith("_test"):
                _compile(name, None, index, code)
    with open(INDEX, "wb") as file:
        marshal.dump(index, file)


def _compile(name, path, index, code):
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        return
    parts = spec.submodule_search_locations
    place = code.tell(), code.write(zlib.compress(marshal.dumps(spec.loader.get_code(name))))
    index[name] = spec.origin, parts, *place
    if parts is not None:
        for part in sorted({part.name for part in pkgutil.iter_modules(parts)} - _LEFT_OUT):
            _compile(f"{name}.{part}", parts, index, code)


def install():
    """Imports what is to be ready, and keeps the rest."""
    with open(INDEX, "rb") as file:
        index = marshal.load(file)
    with open(CODE, "rb") as code:
        library = _Library(index, code)
        # Before the directories of the user, whose modules do not take the place of the standard library's.
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), library)
        for name in (*sys.builtin_module_names, *_READY):
            if not name.startswith("_test"):
                _try(name)
        library.keep()


class _Library(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules that are not there yet. Each is needed once."""

    def __init__(self, index, code):
        self._index = index
        self._code = code
        self._kept = {}

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in self._index:
            return None
        origin, parts, _, _ = self._index[fullname]
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=origin, is_package=parts is not None)
        spec.has_location = True
        if parts is not None:
            spec.submodule_search_locations = list(parts)
        return spec

    def exec_module(self, module):
        name = module.__name__
        exec(marshal.loads(zlib.decompress(self._kept.get(name) or self._read(name))), module.__dict__)

    def keep(self):
        """Takes the code of modules that are not there into memory, and forgets the others."""
        self._index = {name: row for name, row in self._index.items() if name not in sys.modules}
        self._kept = {name: self._read(name) for name in self._index}
        self._code = None

    def _read(self, name):
        _, _, start, length = self._index[name]
        self._code.seek(start)
        return self._code.read(length)


def _try(name):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    except BaseException:  # what a module says that cannot work in a sandbox, whatever it is
        pass
