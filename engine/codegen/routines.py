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

from plait.engine.codegen.compile import Compiled, checked, is_at_hand, load_named, sources
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
    """

    def __init__(self, name: str, emit: Callable[[ir.Module, bool], None], *emitters: str) -> None:
        self.name = name
        self._emit = emit
        self._emitters = (*_BASE, *emitters)
        self._loaded: dict[bool, Compiled] = {}

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
        code = self._loaded.get(checked()) or self.load()
        with OthersTurn(most):
            status = code.call(routine, *words)
        if status == ASTRAY:
            raise AstrayError(routine)
        return status

    def load(self) -> Compiled:
        """Have the code, compiled or from the cache."""
        debug = checked()
        made = self._loaded[debug] = load_named(self._name(debug), lambda: self._text(debug))
        return made

    def at_hand(self) -> bool:
        """Whether nothing needs compiling any more."""
        return is_at_hand(self._name(checked()))

    def _name(self, debug: bool) -> str:
        return f"{self.name}{' checked' * debug} {sources(*self._emitters)}"

    def _text(self, debug: bool) -> str:
        module = ir.Module(self.name)
        module.triple = ""
        self._emit(module, debug)
        return str(module)
