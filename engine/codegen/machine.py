"""LLVM: the text of a module to machine code, and machine code to functions.

A module is compiled in one of two grades. Quick code is hardly optimised: it is there an eighth of
the time later, and takes twice the time of the best. LLVM is used by one thread at a time.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, cast

import llvmlite
import llvmlite.binding as llvm

_TOGETHER = 32  # modules that are loaded into one engine
_RECIPE = 4  # to be raised when the same text is compiled in another way
Function = Callable[..., int]

_lock = threading.Lock()
# A child of fork() has no threads but one: nobody may have LLVM in hand at that moment.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


class Grade(Enum):
    QUICK = 0
    BEST = 2


@cache
def identity() -> str:
    """What machine code depends on besides the text."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = _processor()
    triple = llvm.Target.from_default_triple().triple
    versions = f"{_RECIPE} {llvmlite.__version__} {llvm.llvm_version_info}"
    return f"{cpu} {features} {versions} {triple}"


@cache
def _processor() -> tuple[str, str]:
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


class Code:
    """Machine code that is loaded; `bytes` is what to keep of it.

    Its functions are known by the names that the module gives them, with a label behind: code of
    several modules is loaded into one engine, since to make one takes longer than to load code.
    """

    def __init__(self, label: str, engine: Any, code: bytes) -> None:
        self.bytes = code
        self._label, self._engine = label, engine

    @staticmethod
    def of_text(label: str, text: str, grade: Grade) -> Code:
        """Compile a module."""
        identity()
        with _lock:
            machine = _machine(grade.value, *_processor())
            module = llvm.parse_assembly(text)
            for function in module.functions:
                if not function.is_declaration:
                    function.name = _labelled(function.name, label)
            module.verify()
            _optimize(module, machine, grade)
            made: list[bytes] = []
            engine = llvm.create_mcjit_compiler(module, machine)  # which owns the machine from now
            engine.set_object_cache(lambda _, code: made.append(bytes(code)), None)
            engine.finalize_object()
        return Code(label, engine, made[0])

    @staticmethod
    def of_bytes(label: str, code: bytes) -> Code:
        """Load what was compiled earlier, with the same label."""
        identity()
        with _lock:
            engine = _engine()
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        return Code(label, engine, code)

    def function(self, name: str, arguments: int) -> Function:
        """A function of so many arguments. It is called without the GIL: another thread may drop
        the code meanwhile, so the function itself keeps it."""
        with _lock:
            address = self._engine.get_function_address(_labelled(name, self._label))
        if not address:
            raise KeyError(name)
        found: Any = prototype(arguments)(address)
        found.engine = self._engine
        return cast(Function, found)


def _labelled(name: str, label: str) -> str:
    return f"{name}.{label}"


class _Shelf:
    """The engine that takes code next, and how much more. Used under the lock."""

    engine: Any = None
    room = 0


_shelf = _Shelf()


def _engine() -> Any:
    """An engine for code that is compiled already. It goes when all that it took is gone."""
    if not _shelf.room:
        # Any processor will do for the empty module. No code is made of it: asking for a function
        # is enough to have an object ready, and `finalize_object` would compile the module too.
        _shelf.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(0))
        _shelf.room = _TOGETHER
    _shelf.room -= 1
    return _shelf.engine


def _machine(level: int, cpu: str = "", features: str = "") -> Any:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=level)


def _optimize(module: Any, machine: Any, grade: Grade) -> None:
    tuning = llvm.create_pipeline_tuning_options(speed_level=grade.value)
    tuning.loop_vectorization = True
    # rows wait for memory and branches: longer loops would cost time to compile, and gain none
    tuning.loop_unrolling = tuning.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)


@cache
def prototype(arguments: int) -> Any:
    """A function of pointers that gives a status; the GIL is released while it runs."""
    return ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * arguments)
