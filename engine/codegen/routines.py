"""Modules of routines: compiled functions that are the same for every query.

They are known by a hash of the sources that emit them: to emit the text of one takes longer than to
load its code, so that is done only to compile it. A routine is given numbers and arrays, and gives
a status: 0, or what its module tells of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine.codegen.compile import (
    Compiled,
    Effort,
    Function,
    checked,
    is_at_hand,
    load_routines,
    sources,
)
from plait.engine.codegen.emit import AstrayError
from plait.engine.codegen.routine import ASTRAY
from plait.engine.turns import OthersTurn

Array = np.ndarray[Any, Any]
_BASE = ("plait.engine.codegen.emit", "plait.engine.codegen.routine")


class Routines:
    """A module of routines.

    Parameters
    ----------
    name : str
        Tells it from others that the same sources emit.
    emit : callable
        Adds the routines to a module, in debug mode or not.
    emitters : str
        The modules of Python that do so.
    effort : Effort
        Of LLVM; the least in debug mode.
    """

    def __init__(
        self,
        name: str,
        emit: Callable[[ir.Module, bool], None],
        *emitters: str,
        effort: Effort = Effort.PLAIN,
    ) -> None:
        self.name = name
        self._emit = emit
        self._emitters = (*_BASE, *emitters)
        self._effort = effort
        self._functions: dict[tuple[str, bool], Function] = {}

    def call(self, routine: str, *args: int | Array) -> int:
        """Run a routine; AstrayError if it was to leave an array, in debug mode."""
        words: list[int] = []
        most = 0
        for arg in args:
            if isinstance(arg, np.ndarray):
                words += [arg.ctypes.data, arg.size]
                most = max(most, arg.size)
            else:
                words.append(arg)
        known = routine, checked()
        if known not in self._functions:
            self._functions[known] = self.load().function(routine, len(words))
        with OthersTurn(most):
            status = self._functions[known](*words)
        if status == ASTRAY:
            raise AstrayError(routine)
        return status

    def load(self) -> Compiled:
        """Have the code, compiled or from the cache."""
        return load_routines(*self._key(), lambda: self._text(checked()))

    def at_hand(self) -> bool:
        """Whether nothing needs compiling any more, which takes a tenth of a second or two."""
        return is_at_hand(*self._key())

    def _key(self) -> tuple[str, Effort]:
        debug = checked()
        name = f"{self.name}{' checked' * debug} {sources(*self._emitters)}"
        return name, Effort.LEAST if debug else self._effort

    def _text(self, debug: bool) -> str:
        module = ir.Module(self.name)
        module.triple = ""
        self._emit(module, debug)
        return str(module)
