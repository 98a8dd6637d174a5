"""Packages that are part of the runtime: their modules, data and metadata stay in memory, because a sandbox has no files."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.resources.abc
import importlib.util
import io
import json
import os
import sys
import zipfile

# While the runtime is built, the directory of the packages has this file: which modules they have.
LIST = "hostel-packages.json"

# Where the files seem to be.
ROOT = "/packages"


def bake():
    """Takes the packages in, if there are any. Their modules are imported now, so that calls find them ready."""
    directory = next((path for path in sys.path if os.path.isfile(os.path.join(path, LIST))), None)
    if directory is None:
        return
    with open(os.path.join(directory, LIST), encoding="utf-8") as listing:
        modules = json.load(listing)["modules"]
    finder = Finder(_archive(directory))
    # It may be there twice, and everything is to be found in memory.
    sys.path[:] = [path for path in sys.path if path != directory]
    sys.path_importer_cache.pop(directory, None)
    # After the standard library, and after the modules of the user.
    sys.meta_path.append(finder)
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # it fails again, with its reason, where it is used
            print(f"the module {name} cannot be imported in the sandbox: {type(error).__name__}: {error}", file=sys.stderr)


def _archive(directory):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for parent, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(parent, name)
                with open(path, "rb") as file:
                    # Without its time, which says nothing.
                    archive.writestr(zipfile.ZipInfo(os.path.relpath(path, directory)), file.read())
    return zipfile.ZipFile(content)


class Finder(importlib.metadata.DistributionFinder):
    """Finds the modules, and the metadata of the packages."""

    def __init__(self, archive):
        self.archive = archive
        self.names = frozenset(archive.namelist())
        self.directories = frozenset(name[: name.rindex("/")] for name in self.names if "/" in name)

    def find_spec(self, fullname, path=None, target=None):
        place = fullname.replace(".", "/")
        for name, is_package in ((f"{place}/__init__.py", True), (f"{place}.py", False)):
            if name in self.names:
                locations = [f"{ROOT}/{place}"] if is_package else None
                loader = Loader(self.archive, fullname, name)
                return importlib.util.spec_from_file_location(
                    fullname, f"{ROOT}/{name}", loader=loader, submodule_search_locations=locations
                )
        if any(directory == place or directory.startswith(f"{place}/") for directory in self.directories):
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [f"{ROOT}/{place}"]
            return spec
        return None

    def find_distributions(self, context=importlib.metadata.DistributionFinder.Context()):
        wanted = context.name and _normal(context.name)
        for directory in sorted(self.directories):
            if not directory.endswith(".dist-info") or "/" in directory:
                continue
            if wanted is None or _normal(directory.partition("-")[0]) == wanted:
                yield importlib.metadata.PathDistribution(zipfile.Path(self.archive, f"{directory}/"))

    def invalidate_caches(self):
        pass


class Loader(importlib.abc.SourceLoader):
    """Loads a module from its source, and gives its package's data."""

    def __init__(self, archive, fullname, name):
        self.archive = archive
        self.fullname = fullname
        self.name = name

    def get_filename(self, fullname):
        return f"{ROOT}/{self.name}"

    def get_data(self, path):
        try:
            return self.archive.read(path.removeprefix(f"{ROOT}/"))
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None

    def get_resource_reader(self, fullname):
        return Resources(self.archive, self.name.rpartition("/")[0])


class Resources(importlib.resources.abc.TraversableResources):
    """The files beside a module."""

    def __init__(self, archive, directory):
        self.archive = archive
        self.directory = directory

    def files(self):
        return zipfile.Path(self.archive, f"{self.directory}/" if self.directory else "")


def _normal(name):
    return name.lower().replace("-", "_").replace(".", "_")
