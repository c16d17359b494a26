"""LLVM IR to machine code, kept in memory and on disk.

A module is known by its text: loops take constants, table sizes and addresses as arguments, so
equal queries with other constants share code. On disk, object code is named by a hash of the text,
of this CPU with its features and of the versions of llvmlite, LLVM and our way to use them; a file
begins with a hash of the rest, so that a damaged one is compiled again. Files are written under
another name and then renamed: processes may share the folder.

Loops that check their addresses are for tests, and hardly optimised: that is an eighth of the time.
Of the others only those are worth all of LLVM's passes that have inner loops for vector
instructions.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import llvmlite
import llvmlite.binding as llvm

from plait import config

_RECIPE = 2  # to be raised when the same text is compiled in another way
_HASH_BYTES = 32
# variables to registers, then what simplifies expressions and branches, each once or twice
_PLAIN = (
    "sroa",
    "simplify_cfg",
    "instruction_combine",
    "jump_threading",
    "new_gvn",
    "aggressive_dce",
    "instruction_combine",
    "simplify_cfg",
)
_MOST_FILES = 4096  # of some 5 kB each
_MOST_LOADED = 2048  # modules that a process keeps for later
_RECENT = 512  # texts whose names are remembered
Function = Callable[..., int]


class Effort(Enum):
    """How much LLVM is to do for a module: its time grows fourfold from one to the next."""

    LEAST = 0
    PLAIN = 1  # what loops gain from that have no inner loops for vector instructions
    VECTORS = 2


@dataclass
class Compiled:
    """A loaded module: its functions by name."""

    engine: Any
    functions: dict[str, Function]  # those asked for so far; each keeps the code alive
    seconds: float  # that it took, from text to function
    origin: str  # compiled, disk

    def function(self, name: str, arguments: int) -> Function:
        """A function of so many arguments."""
        with _LLVM:
            if name not in self.functions:
                self.functions[name] = _function(self.engine, name, prototype(arguments))
            return self.functions[name]


@dataclass
class _Cache:
    """What was loaded in this process; each module is compiled by one thread, others wait."""

    loaded: dict[str, Compiled] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, make: Callable[[], Compiled]) -> Compiled:
        found = self.loaded.get(key)
        if found is not None:
            return found
        with self.lock:
            own = self.locks.setdefault(key, threading.Lock())
        with own:
            found = self.loaded.get(key)
            if found is None:
                found = make()
                with self.lock:
                    if len(self.loaded) >= _MOST_LOADED:
                        self.loaded.pop(next(iter(self.loaded)))  # loops that run keep theirs
                    self.loaded[key] = found
            return found


_CACHE = _Cache()
_LLVM = threading.Lock()  # LLVM's own state is not made for threads that compile at once


def load(text: str, signatures: dict[str, Any], effort: Effort) -> Compiled:
    """The functions of a module; `signatures` gives each one's ctypes prototype."""
    key = _key(text, effort)
    return _CACHE.get(key, lambda: _load(key, lambda: text, signatures, effort))


def load_routines(name: str, effort: Effort, emit: Callable[[], str]) -> Compiled:
    """A module that is known by a name, which tells apart what is emitted."""
    key = _key(name, effort)
    return _CACHE.get(key, lambda: _load(key, emit, {}, effort))


def is_loaded(text: str, effort: Effort) -> bool:
    """Whether a module is ready in this process."""
    return _key(text, effort) in _CACHE.loaded


def forget() -> None:
    """Drop what this process has loaded; running loops keep theirs."""
    with _CACHE.lock:
        _CACHE.loaded.clear()
        _CACHE.locks.clear()
        _key.cache_clear()


@cache
def _identity() -> str:
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


@lru_cache(_RECENT)
def _key(text: str, effort: Effort) -> str:
    return hashlib.sha256(f"{_identity()} {effort.name}\n{text}".encode()).hexdigest()


def _load(
    key: str, emit: Callable[[], str], signatures: dict[str, Any], effort: Effort
) -> Compiled:
    started = time.perf_counter()
    folder = cache_folder()
    path = None if folder is None else folder / f"{key}.o"
    with _LLVM:
        code = None if path is None else _read(path)
        engine = None if code is None else _engine_of_object(code)
        origin = "disk"
        if engine is None:
            origin = "compiled"
            engine, code = _compile(emit(), effort)
            if path is not None:
                _write(path, code)
        functions = {
            name: _function(engine, name, prototype) for name, prototype in signatures.items()
        }
    return Compiled(engine, functions, time.perf_counter() - started, origin)


def _function(engine: Any, name: str, prototype: Any) -> Function:
    """A function of a module. It is called without the GIL: another thread may drop the module from
    what is loaded meanwhile, so the function itself keeps the engine."""
    found: Any = prototype(engine.get_function_address(name))
    found.engine = engine
    return cast(Function, found)


def _compile(text: str, effort: Effort) -> tuple[Any, bytes]:
    machine = _machine(2 if effort is not Effort.LEAST else 0)
    module = llvm.parse_assembly(text)
    module.verify()
    _optimize(module, machine, effort)
    made: list[bytes] = []
    engine = llvm.create_mcjit_compiler(module, machine)  # which owns the machine from now on
    engine.set_object_cache(lambda _, code: made.append(bytes(code)), None)
    engine.finalize_object()
    return engine, made[0]


def _optimize(module: Any, machine: Any, effort: Effort) -> None:
    tuning = llvm.create_pipeline_tuning_options(speed_level=min(effort.value, 1) * 2)
    tuning.loop_vectorization = True
    # rows wait for memory and branches: longer loops would cost time to compile, and gain none
    tuning.loop_unrolling = tuning.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, tuning)
    if effort is Effort.PLAIN:
        passes = llvm.create_new_module_pass_manager()
        for name in _PLAIN:
            getattr(passes, f"add_{name}_pass")()
    else:
        passes = builder.getModulePassManager()
    passes.run(module, builder)


def _machine(level: int) -> Any:
    cpu, features = _processor()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=level)


def _engine_of_object(code: bytes) -> Any:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(0))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def cache_folder() -> Path | None:
    """Where machine code is kept between processes; None if it is not."""
    setting = config.get("compile.cache")
    if setting is None:
        return None
    if setting != "auto":
        return Path(setting)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "plait" / "code"


def _read(path: Path) -> bytes | None:
    """The object code of a file; None if there is none, or not what was written."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code = content[_HASH_BYTES:]
    return code if hashlib.sha256(code).digest() == content[:_HASH_BYTES] else None


def _write(path: Path, code: bytes) -> None:
    """A cache that cannot be written is no error: the code is there."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, path)
        _make_room(path.parent)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """Remove the oldest files of a folder that has too many."""
    if len(os.listdir(folder)) <= _MOST_FILES:
        return
    ages = sorted((f.stat().st_mtime, f.name) for f in folder.iterdir())
    for _, name in ages[: _MOST_FILES // 4]:
        (folder / name).unlink(missing_ok=True)


def is_at_hand(name: str, effort: Effort) -> bool:
    """Whether routines are loaded, or were compiled by an earlier process."""
    key = _key(name, effort)
    folder = cache_folder()
    return key in _CACHE.loaded or (folder is not None and (folder / f"{key}.o").exists())


@cache
def sources(*modules: str) -> str:
    """A hash of the sources of some modules."""
    found = hashlib.sha256()
    for name in modules:
        found.update(inspect.getsource(sys.modules[name]).encode())
    return found.hexdigest()


def checked() -> bool:
    """Whether loops check every address (for tests)."""
    return bool(config.get("compile.checked"))


def prototype(arguments: int) -> Any:
    """A function of pointers that gives a status; the GIL is released while it runs."""
    return ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * arguments)
