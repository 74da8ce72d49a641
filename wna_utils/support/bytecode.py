"""What code does and what it reaches, read from its bytecode."""

import dis
import functools
import types
from itertools import takewhile
from typing import Any, NamedTuple

from wna_utils.support.attributes import IGNORED

PADDING = ("NOP", "EXTENDED_ARG", "CACHE")
LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
HAS_DOCSTRING = 1 << 26  # CPython's flag of code


class Constant(NamedTuple):
    """A constant that an instruction uses."""

    value: object


class Code(NamedTuple):
    """The steps of a piece of code, and what they and the code nested in them reach by name."""

    frame: tuple[object, ...]  # counts of arguments, flags, names of variables, table of exceptions
    steps: tuple[tuple[str, object], ...]  # name and argument of every instruction
    loads: tuple[tuple[str, ...], ...]  # global names, each with the attributes that are taken from it
    imports: tuple[tuple[Any, ...], ...]  # level, name of the module, and items


@functools.cache
def analysed(code: types.CodeType) -> Code:
    """What the code does and reaches. Constants count where they are used, so that docstrings do not."""
    instructions = _instructions(code)
    steps: list[tuple[str, object]] = []
    loads: dict[tuple[str, ...], None] = {}
    imports: dict[tuple[Any, ...], None] = {}
    for i, step in enumerate(instructions):
        argument: object = step.argval if step.opcode in dis.hasname else step.arg
        if step.opcode in dis.hasconst:
            constant = code.co_consts[step.arg or 0]
            argument = Constant(constant)
            if isinstance(constant, types.CodeType):
                loads |= dict.fromkeys(analysed(constant).loads)
                imports |= dict.fromkeys(analysed(constant).imports)
        elif step.opname in LOADS:
            taken = takewhile(lambda each: each.opname in ("LOAD_ATTR", "LOAD_METHOD"), instructions[i + 1 :])
            loads[(step.argval, *(each.argval for each in taken))] = None
        elif step.opname == "IMPORT_NAME":
            imports[(instructions[i - 2].argval, step.argval, instructions[i - 1].argval)] = None
        steps.append((step.opname, argument))
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~HAS_DOCSTRING)
    names = (code.co_varnames, code.co_freevars, code.co_cellvars)
    return Code((counts, names, code.co_exceptiontable.hex()), tuple(steps), tuple(loads), tuple(imports))


def _instructions(code: types.CodeType) -> list[dis.Instruction]:
    """Instructions that do something; those of a class's body that note its name or docstring do not."""
    found = [each for each in dis.get_instructions(code) if each.opname not in PADDING]
    naming = [i for i, each in enumerate(found) if each.opname == "STORE_NAME" and each.argval in IGNORED]
    return [each for i, each in enumerate(found) if i not in naming and i + 1 not in naming]
