"""The standard library, in memory. What many programs import is imported when the runtime is built, so that calls find it ready. As
the memory is copied for each call, modules that few import wait as compressed code, which is executed when they are imported.

A build has two steps: `write` compiles all modules into a file, and `install` takes them from there. A compiler would leave its
traces in the memory that is copied, and they are as large as what it makes."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.resources.abc
import io
import marshal
import os
import pkgutil
import sys
import warnings
import zlib

INDEX = os.path.join(os.path.dirname(__file__), "library.index")
CODE = os.path.join(os.path.dirname(__file__), "library.code")

# Tests, and what opens windows or browsers.
_LEFT_OUT = frozenset("antigravity ensurepip idlelib lib2to3 test tests this tkinter turtle turtledemo venv".split())

# What is often in the code of small modules, which are compressed one by one.
_TYPICAL = ("encodings.cp437", "encodings.cp500")

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
    found = {}
    for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
        if not name.startswith("_test"):
            _compile(name, None, found)
    typical = b"".join(found[name][-1] for name in _TYPICAL)
    index = {}
    with open(CODE, "wb") as file:
        for name, (*row, code) in found.items():
            compressor = zlib.compressobj(9, zdict=typical)
            place = file.tell(), file.write(compressor.compress(code) + compressor.flush())
            index[name] = (*row, *place)
    with open(INDEX, "wb") as file:
        marshal.dump((typical, index), file)


def _compile(name, path, found):
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        return
    parts = spec.submodule_search_locations
    code = spec.loader.get_code(name)
    # It does something of its own where `python -m` executes it.
    is_program = "__name__" in code.co_names and "__main__" in code.co_consts
    found[name] = spec.origin, parts and tuple(parts), is_program, marshal.dumps(code)
    if parts is not None:
        for part in sorted({part.name for part in pkgutil.iter_modules(parts)} - _LEFT_OUT):
            _compile(f"{name}.{part}", parts, found)


def install():
    """Imports what is to be ready, and keeps the rest."""
    with open(INDEX, "rb") as file:
        typical, index = marshal.load(file)
    with open(CODE, "rb") as code:
        library = _Library(typical, index, code)
        # Before the directories of the user, whose modules do not take the place of the standard library's.
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), library)
        for name in (*sys.builtin_module_names, *_READY):
            if not name.startswith("_test"):
                _try(name)
        library.keep()
    sys.path_hooks.insert(0, library.directory)


class _Library(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Finds and loads the modules of the standard library. There is no text of them, and their packages have no data.

    A module that is ready has been executed. Its code is not kept unless it is a program, because memory takes time in each call. So it is
    not executed again, also not by `importlib.reload`."""

    def __init__(self, typical, index, code):
        self._typical = typical
        self._index = index
        self._code = code
        self._kept = {}
        self._ready = {}
        self._directories = {}

    def find_spec(self, fullname, path=None, target=None):
        if fullname in self._ready:
            return self._ready[fullname].__spec__
        if fullname not in self._index:
            return None
        origin, parts, *_ = self._index[fullname]
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=origin, is_package=parts is not None)
        spec.has_location = True
        if parts is not None:
            spec.submodule_search_locations = list(parts)
        return spec

    def create_module(self, spec):
        return self._ready.get(spec.name)

    def exec_module(self, module):
        if module.__spec__.name not in self._ready:
            super().exec_module(module)

    def is_package(self, fullname):
        return self._row(fullname)[1] is not None

    def get_filename(self, fullname):
        return self._row(fullname)[0]

    def get_source(self, fullname):
        self._row(fullname)
        return None

    def get_code(self, fullname):
        self._row(fullname)
        if self._code is not None:
            code = self._read(fullname)
        elif fullname in self._kept:
            code = self._kept[fullname]
        else:
            return None
        return marshal.loads(zlib.decompressobj(zdict=self._typical).decompress(code))

    def get_data(self, path):
        raise FileNotFoundError(2, "No such file or directory", path)

    def get_resource_reader(self, fullname):
        return _NoResources(self.get_filename(fullname).rpartition("/")[0])

    def iter_modules(self, prefix=""):
        return self.parts("", prefix)

    def parts(self, package, prefix):
        """The modules in a package whose name ends with a point, or those at the top."""
        for name, (_, parts) in self._index.items():
            if name.startswith(package) and "." not in name[len(package) :]:
                yield prefix + name[len(package) :], parts is not None

    def directory(self, path):
        """What finds modules in a directory of the standard library, which does not exist."""
        if path not in self._directories:
            raise ImportError("no directory of the standard library", path=path)
        return _Directory(self, self._directories[path])

    def keep(self):
        """Takes code into memory: of modules that are not there, and of programs."""
        for name, (origin, parts, is_program, _, _) in self._index.items():
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            if spec is not None and isinstance(spec.loader, (_Library, importlib.machinery.SourceFileLoader)):
                self._ready[name] = module
                # Some were loaded from files, which are not there later.
                spec.loader = module.__loader__ = self
            if module is None or is_program:
                self._kept[name] = self._read(name)
            if "." not in name:
                self._directories[(parts[0] if parts else origin).rpartition("/")[0]] = ""
            for path in parts or ():
                self._directories[path] = f"{name}."
        for path in self._directories:
            # While the runtime is built there are such directories.
            sys.path_importer_cache.pop(path, None)
        self._index = {name: (origin, parts) for name, (origin, parts, *_) in self._index.items()}
        self._code = None

    def _row(self, name):
        if name not in self._index:
            raise ImportError(f"{name} is no module of the standard library", name=name)
        return self._index[name]

    def _read(self, name):
        *_, start, length = self._index[name]
        self._code.seek(start)
        return self._code.read(length)


class _Directory(importlib.abc.PathEntryFinder):
    """Finds the modules of a package by their names in its directory."""

    def __init__(self, library, package):
        self._library = library
        self._package = package

    def find_spec(self, fullname, target=None):
        return self._library.find_spec(fullname)

    def iter_modules(self, prefix=""):
        return self._library.parts(self._package, prefix)


class _NoResources(importlib.resources.abc.TraversableResources):
    """The files beside the modules of a package: none."""

    def __init__(self, path):
        self._path = path

    def files(self):
        return _NoFile(self._path, True)


class _NoFile(importlib.resources.abc.Traversable):
    """A directory without files, or a file that it does not have."""

    def __init__(self, path, is_directory):
        self._path = path
        self._is_directory = is_directory

    def __str__(self):
        return self._path

    @property
    def name(self):
        return self._path.rpartition("/")[2]

    def iterdir(self):
        return iter(())

    def is_dir(self):
        return self._is_directory

    def is_file(self):
        return False

    def joinpath(self, *descendants):
        return _NoFile("/".join((self._path, *map(str, descendants))), False) if descendants else self

    def open(self, mode="r", *args, **kwargs):
        raise FileNotFoundError(2, "No such file or directory", self._path)

    def read_bytes(self):
        return self.open("rb")

    def read_text(self, encoding=None, errors=None):
        return self.open()


def _try(name):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    except BaseException:  # what a module says that cannot work in a sandbox, whatever it is
        pass
