"""The component: what `hostel:runtime/language` asks, answered for Python."""

import gc

# First, so that everything after it finds the module prepared.
from hostel_runtime import prepare  # noqa: F401  (imports the standard library)
from hostel_runtime import calling, describing, packages, web
from hostel_runtime.failure import Failed
from hostel_runtime.texts import printable

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import language as wit

web.install()
packages.bake()


class Language(exports.Language):
    def describe(self, file, source):
        try:
            return [_function(function) for function in describing.functions(file, source)]
        except Failed as failed:
            raise Err(_failure(failed)) from None

    def call(self, file, source, function, positional, named):
        try:
            return calling.call(file, source, function, positional, named)
        except Failed as failed:
            raise Err(_failure(failed)) from None


def _function(function):
    parameters = [
        wit.Parameter(parameter.name, wit.Passing[parameter.passing], printable(parameter.declared), printable(parameter.default))
        for parameter in function.parameters
    ]
    return wit.Function(function.name, parameters, printable(function.returns), printable(function.doc), function.line)


def _failure(failed):
    parts = [printable(part) for part in failed.parts]
    match failed.kind:
        case "syntax":
            return wit.Failure_Syntax(wit.Diagnostic(*parts))
        case "no_function":
            return wit.Failure_NoFunction(*parts)
        case "arguments":
            return wit.Failure_Arguments(*parts)
        case "no_data":
            return wit.Failure_NoData(*parts)
        case _:
            return wit.Failure_Thrown(wit.Thrown(*parts))


# What is here now stays for ever: the collector need not look at it.
gc.collect()
gc.freeze()
