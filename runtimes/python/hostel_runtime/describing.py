"""The functions of a source, found in its syntax tree. Nothing is executed."""

import ast
from dataclasses import dataclass

from .failure import syntax


@dataclass
class Parameter:
    name: str
    passing: str
    declared: str | None
    default: str | None


@dataclass
class Function:
    name: str
    parameters: list
    returns: str | None
    doc: str | None
    line: int


def functions(file, source):
    """The functions at the top level, in the order of their (last) definitions."""
    try:
        return _found(ast.parse(source, filename=file))
    except (SyntaxError, ValueError) as error:
        raise syntax(error, source) from None
    except (RecursionError, MemoryError):
        raise syntax(ValueError("the source is nested too deep"), source) from None


def _found(tree):
    found = {}
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                function = _defined(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments)):
                function = Function(name, _parameters(arguments), None, None, statement.lineno)
            case _:
                continue
        # What is defined again replaces what was there.
        found.pop(function.name, None)
        found[function.name] = function
    return list(found.values())


def _defined(statement):
    return Function(
        statement.name, _parameters(statement.args), _text(statement.returns), ast.get_docstring(statement), statement.lineno
    )


def _parameters(arguments):
    by_position = [(argument, "POSITIONAL") for argument in arguments.posonlyargs]
    by_position += [(argument, "EITHER") for argument in arguments.args]
    without = [None] * (len(by_position) - len(arguments.defaults))
    defaults = without + arguments.defaults
    parameters = [_parameter(argument, passing, default) for (argument, passing), default in zip(by_position, defaults)]
    if arguments.vararg:
        parameters.append(_parameter(arguments.vararg, "REST"))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        parameters.append(_parameter(argument, "NAMED", default))
    if arguments.kwarg:
        parameters.append(_parameter(arguments.kwarg, "NAMED_REST"))
    return parameters


def _parameter(argument, passing, default=None):
    return Parameter(argument.arg, passing, _text(argument.annotation), _text(default))


def _text(node):
    return None if node is None else ast.unparse(node)
