"""The first step of a build, whose component nobody needs. See `hostel_runtime.library`."""

from hostel_runtime import library
from wit_world import exports

library.write()


class Language(exports.Language):
    def describe(self, file, source):
        raise NotImplementedError

    def call(self, file, source, function, positional, named):
        raise NotImplementedError
