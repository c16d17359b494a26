"""Parcel: a value as a foreign cluster keeps it and moves it.

A cluster that finds out while it moves a result that it cannot be pickled, or not be read again,
may hang or lose a worker over it. A parcel was pickled when it was made, in the task, where failing
is the task's own error, and it is read in the task that uses it. To the cluster it is a handful of
buffers. Read once in a process, the value is kept beside them, sharing their memory.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from typing import Any

from plait.scheduler.net import serialize

_IN_BAND = 4096  # bytes below which buffers travel inside the pickle of what holds the parcel
_lock = threading.Lock()


class Parcel:
    """A pickled value. `value` reads it, once in each process."""

    __slots__ = ("_buffers", "_value")

    def __init__(self, buffers: Sequence[Any]) -> None:
        self._buffers = tuple(buffers)
        self._value: list[object] = []

    @classmethod
    def of(cls, value: object) -> Parcel:
        """Pack a value; SerializationError if it cannot be pickled."""
        return cls(serialize.dumps(value))

    @property
    def value(self) -> object:
        """The value; SerializationError if this process cannot read it."""
        # Reading may run anybody's code, hence no lock held; all get what was stored first.
        if not self._value:
            read = serialize.loads(self._buffers)
            with _lock:
                if not self._value:
                    self._value.append(read)
        return self._value[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers."""
        return serialize.size(self._buffers)

    def __sizeof__(self) -> int:
        return 64 + self.nbytes

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if protocol >= 5 and self.nbytes > _IN_BAND:
            return Parcel, (tuple([pickle.PickleBuffer(piece) for piece in self._buffers]),)
        return Parcel, (tuple([bytes(piece) for piece in self._buffers]),)
