"""Modules of machine code: compiled when first needed, kept, and compiled again if used much.

A module is known by its text: loops take constants, table sizes and addresses as arguments, so
equal queries with other constants share code. On disk it is named by a hash of the text, of this
CPU with its features and of the versions of llvmlite, LLVM and our way to use them.

Nobody waits for LLVM's optimizer: a module begins as quick code, and when that has run for some
time the best code is made of it by a thread of its own (`improve.py`), and is called from then on.
With `compile.optimize` a user has it at once, or never.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache

from plait import config
from plait.engine.codegen import code_files
from plait.engine.codegen.improve import improve_soon, keep_quiet
from plait.engine.codegen.machine import Code, Function, Grade, identity

_MOST_LOADED = 2048  # modules that a process keeps for later
_RECENT = 512  # texts whose names are remembered
_MUCH = 0.004  # seconds in quick code, after which better code is worth the time to make it


class Compiled:
    """A loaded module.

    Attributes
    ----------
    grade : Grade
        Of the code that is called now.
    origin : str
        Where that came from: "compiled" or "disk".
    seconds : float
        That it took to have the first code.
    """

    def __init__(self, key: str, emit: Callable[[], str], best: bool) -> None:
        started = time.perf_counter()
        self._key, self._emit = key, emit
        self._left = _MUCH
        found = self._read(Grade.BEST) or (None if best else self._read(Grade.QUICK))
        self.origin = "disk" if found else "compiled"
        code, self.grade = found or self._made(Grade.BEST if best else Grade.QUICK)
        self._now: tuple[Code, dict[tuple[str, int], Function]] = code, {}
        self.seconds = time.perf_counter() - started

    def call(self, name: str, *arguments: int) -> int:
        """Run a function; its status. Better code may have come since it was called before, which
        does the same with what the code before it has left."""
        function = self.function(name, len(arguments))
        if self.grade is Grade.BEST:
            return function(*arguments)
        started = time.perf_counter()
        status = function(*arguments)
        self._used(time.perf_counter() - started)
        return status

    def function(self, name: str, arguments: int) -> Function:
        """A function of so many arguments, of the code that is the best so far."""
        code, functions = self._now
        found = functions.get((name, arguments))
        if found is None:
            found = functions[name, arguments] = code.function(name, arguments)
        return found

    def _used(self, seconds: float) -> None:
        if self._left > 0:
            self._left -= seconds
            if self._left <= 0 and _optimize() == "later":
                improve_soon(self)

    def improve(self) -> None:
        """Make the best code, unless another process has, and use it from now on."""
        code, grade = self._read(Grade.BEST) or self._made(Grade.BEST)
        self._now = code, {asked: code.function(*asked) for asked in tuple(self._now[1])}
        self.grade = grade
        code_files.remove(self._name(Grade.QUICK))

    def _read(self, grade: Grade) -> tuple[Code, Grade] | None:
        name = self._name(grade)
        known = code_files.read(name)
        return None if known is None else (Code.of_bytes(name, known), grade)

    def _made(self, grade: Grade) -> tuple[Code, Grade]:
        name = self._name(grade)
        code = Code.of_text(name, self._emit(), grade)
        code_files.write(name, code.bytes)
        return code, grade

    def _name(self, grade: Grade) -> str:
        return _name(self._key, grade)


@dataclass
class _Cache:
    """What was loaded in this process; each module is loaded by one thread, others wait."""

    loaded: dict[str, Compiled] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, emit: Callable[[], str], best: bool) -> Compiled:
        found = self.loaded.get(key)
        if found is not None:
            return found
        with self.lock:
            own = self.locks.setdefault(key, threading.Lock())
        with own:
            found = self.loaded.get(key)
            if found is None:
                keep_quiet()
                found = Compiled(key, emit, best)
                with self.lock:
                    if len(self.loaded) >= _MOST_LOADED:
                        self.loaded.pop(next(iter(self.loaded)))  # loops that run keep theirs
                    self.loaded[key] = found
            return found

    def renew_locks(self) -> None:
        """In a child of fork(): who held a lock in the parent is not here."""
        self.locks.clear()
        self.lock = threading.Lock()


_CACHE = _Cache()
os.register_at_fork(after_in_child=_CACHE.renew_locks)


def load(text: str) -> Compiled:
    """The module of a text."""
    return _load(_key(text), lambda: text)


def load_named(name: str, emit: Callable[[], str]) -> Compiled:
    """A module that is known by a name, which tells apart what is emitted."""
    return _load(_key(name), emit)


def is_at_hand(name: str) -> bool:
    """Whether a module of that name is loaded, or was compiled by an earlier process."""
    key = _key(name)
    files = (_name(key, grade) for grade in Grade)
    return key in _CACHE.loaded or any(map(code_files.exists, files))


def forget() -> None:
    """Drop what this process has loaded; running loops keep theirs."""
    with _CACHE.lock:
        _CACHE.loaded.clear()
        _CACHE.locks.clear()
        _key.cache_clear()


def checked() -> bool:
    """Whether loops check every address (for tests)."""
    return bool(config.get("compile.checked"))


@cache
def sources(*modules: str) -> str:
    """A hash of the sources of some modules."""
    found = hashlib.sha256()
    for name in modules:
        found.update(inspect.getsource(sys.modules[name]).encode())
    return found.hexdigest()


def _load(key: str, emit: Callable[[], str]) -> Compiled:
    best = _optimize() == "first"
    found = _CACHE.get(key, emit, best)
    if best and found.grade is not Grade.BEST:
        found.improve()
    return found


def _optimize() -> str:
    """What checks its addresses is for tests, and stays as it is."""
    return "never" if checked() else str(config.get("compile.optimize"))


def _name(key: str, grade: Grade) -> str:
    """Of code on disk, and of its functions."""
    return f"{key}-{grade.name.lower()}"


@lru_cache(_RECENT)
def _key(text: str) -> str:
    return hashlib.sha256(f"{identity()}\n{text}".encode()).hexdigest()
