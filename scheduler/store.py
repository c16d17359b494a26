"""Store: the results a worker keeps, in memory while there is room, else in files.

A result is here as the value itself, as the buffers in which it came from another worker (unpacked
by the thread that first uses it), or as a file. Memory is counted once for each buffer, however
many slices of it are kept. Beyond `limit` bytes those used longest ago are written to files by a
thread of the store's own; a value that comes back is mapped, so that its columns are read from the
disk's cache without a copy, and stays in its file too.

A file holds the pieces of a pickled value (`net/serialize.py`), aligned, and their checksum. What
was changed or cut is gone (`GoneError`), as if the worker had lost it: its task is run again.
Where the disk is full values stay in memory, and the disk is tried again some seconds later. When
memory has no room either, large results are refused (`DiskFullError`), which ends their run; small
ones are kept, so that tasks which make much into little go on.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from plait.scheduler.errors import DiskFullError, SerializationError
from plait.scheduler.net import serialize
from plait.scheduler.net.serialize import Packed
from plait.scheduler.scratch import ScratchFolder
from plait.scheduler.weight import PLAIN, Weight, weigh

_log = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ALIGNED = 64
_HEAD = struct.Struct("<II")  # checksum of the rest, number of pieces
_WORTH = 64 << 10  # bytes below which writing a value gains nothing
_AGAIN = 5.0  # seconds until a full disk is tried again
_SLICED = 1.25  # how much more than they share slices may weigh, to be kept each by itself
_SMALL = 1024  # plain values up to this size are kept without weighing

PLAIN_SIZE = 32
"""What these are said to weigh."""


class GoneError(KeyError):
    """A result that is not here, or no longer as it was."""


class _Nothing:
    """Where there is no value."""


_NOTHING = _Nothing()


@dataclass(slots=True, eq=False)
class _Entry:
    value: object = _NOTHING
    packed: Packed | None = None
    file: Path | None = None
    weight: Weight = field(default_factory=Weight)
    stays: bool = False  # cannot be pickled, or its file could not be read


class Store:
    """Results by key. Any thread may call; nothing here blocks on a disk but reading a file.

    Parameters
    ----------
    scratch : ScratchFolder
        Where files go.
    limit : int, optional
        Bytes in memory beyond which results go to files; None to never write any.
    """

    def __init__(self, scratch: ScratchFolder, limit: int | None = None) -> None:
        self.limit = limit
        self.disk_full = False
        self.room: int | None = None
        """Bytes that results may have in memory when they cannot leave it."""
        self.bytes = 0
        self.spilled = 0
        # told of what was written ("spill", when it began, bytes), if somebody watches
        self.moved: Callable[[str, float, int], None] | None = None
        self._scratch = scratch
        self._lock = threading.Lock()
        self._entries: dict[int, object] = {}  # used longest ago first; plain small values as such
        self._buffers: dict[int, list[int]] = {}  # address -> bytes, users
        self._names = count()
        self._writing = False
        self._try_at = 0.0
        self._written = threading.Condition(self._lock)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: int) -> bool:
        return key in self._entries

    def put(self, key: int, value: object) -> int:
        """Keep a value; what sending it takes, in bytes. DiskFullError."""
        kind = type(value)
        if kind in PLAIN and (kind not in (str, bytes) or len(value) < _SMALL):  # type: ignore[arg-type]
            with self._lock:
                self._forget(key)
                self._entries[key] = value
            return PLAIN_SIZE
        weight = weigh(value)
        self._check_room(weight.size)
        self._keep(key, _Entry(value, weight=weight))
        return weight.size

    def put_parts(self, keys: Iterable[int], parts: Sequence[object]) -> tuple[int, ...]:
        """Keep what one task gave; what sending each part takes, in bytes.

        Parts are often slices of one table, none of which could be freed, or written to a file,
        to any use before the last is. They are then kept as the buffers that would be sent.
        """
        weights = [weigh(part) for part in parts]
        if not any(weight.buffers for weight in weights):
            return tuple([self.put(key, part) for key, part in zip(keys, parts, strict=True)])
        shared: dict[int, int] = {}
        for weight in weights:
            shared.update(weight.buffers)
        apart = sum([weight.size for weight in weights])
        self._check_room(apart)
        whole = sum(shared.values())
        alone = whole == sum([sum(weight.buffers.values()) for weight in weights])
        for key, part, weight in zip(keys, parts, weights, strict=True):
            if alone or apart > _SLICED * whole or not self._put_apart(key, part):
                self._keep(key, _Entry(part, weight=weight))
        return tuple([weight.size for weight in weights])

    def _check_room(self, size: int) -> None:
        if not self.disk_full or self.room is None or size < _WORTH:
            return
        if self.bytes + size > self.room:
            raise DiskFullError(
                f"The disk is full at {self._scratch.path}, and memory has no room for a result of "
                f"{size >> 20} MiB beside the {self.bytes >> 20} MiB of results that wait there. "
                "Free some of the disk, or start workers with another folder (scratch=) or more "
                "memory (memory_limit=)"
            )

    def _put_apart(self, key: int, part: object) -> bool:
        try:
            self.put_packed(key, serialize.dumps(part))
        except SerializationError:
            return False
        return True

    def put_packed(self, key: int, packed: Packed) -> None:
        """Keep a value that came as buffers."""
        size = serialize.size(packed)
        self._keep(key, _Entry(packed=packed, weight=Weight(size, size)))

    def get(self, key: int) -> object:
        """The value. GoneError; SerializationError if it cannot be read in this process."""
        with self._lock:
            entry = self._entries.get(key, _NOTHING)
            if type(entry) is not _Entry:
                if entry is _NOTHING:
                    raise GoneError(f"There is no result {key} here")
                return entry
            self._entries[key] = self._entries.pop(key)
            if entry.value is not _NOTHING:
                return entry.value
            packed, file = entry.packed, entry.file
        value = serialize.loads(packed if packed is not None else self._read(key, file))
        weight = weigh(value)
        with self._lock:
            if self._entries.get(key) is entry and entry.value is _NOTHING:
                if entry.packed is not None:
                    self._account(entry.weight, -1)
                entry.value, entry.packed, entry.weight = value, None, weight
                self._account(weight, 1)
            self._start_writing()
        return value

    def plain(self, keys: Iterable[int]) -> dict[int, object]:
        """Those of the results that are small plain values."""
        found = {}
        with self._lock:
            entries = self._entries
            for key in keys:
                entry = entries.get(key, _NOTHING)
                if type(entry) is not _Entry and entry is not _NOTHING:
                    found[key] = entry
        return found

    def put_plain(self, keys: Iterable[int], values: Iterable[object]) -> None:
        """Keep what `plain` gave at another worker."""
        with self._lock:
            for key, value in zip(keys, values, strict=True):
                self._forget(key)
                self._entries[key] = value

    def packed(self, key: int) -> Packed:
        """The value as buffers, to be sent. GoneError, SerializationError."""
        with self._lock:
            entry = self._entries.get(key, _NOTHING)
            if type(entry) is not _Entry:
                if entry is _NOTHING:
                    raise GoneError(f"There is no result {key} here")
                return serialize.dumps(entry)
            value, packed, file = entry.value, entry.packed, entry.file
        if packed is not None:
            return packed
        if file is not None:
            return self._read(key, file)
        return serialize.dumps(value)

    def size(self, key: int) -> int:
        """What sending the value takes, in bytes, as far as that is known; 0 if it is not here."""
        entry = self._entries.get(key, _NOTHING)
        return entry.weight.size if type(entry) is _Entry else 0

    def drop(self, keys: Iterable[int]) -> None:
        """Forget results; those that are not here are no error."""
        dropped = []
        with self._lock:
            for key in keys:
                dropped.append(self._forget(key))
        # outside the lock: freeing may run anybody's finalizers
        del dropped

    def clear(self) -> None:
        """Forget all."""
        self.drop(list(self._entries))

    def bound(self, limit: int) -> None:
        """Keep at most so many bytes in memory from now on."""
        with self._lock:
            self.limit = max(0, limit)
            self._start_writing()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being written; whether that was so in time."""
        with self._lock:
            return self._written.wait_for(lambda: not self._writing, timeout)

    # ------------------------------------------------------------------------------- under the lock

    def _keep(self, key: int, entry: _Entry) -> None:
        with self._lock:
            old = self._forget(key)
            self._entries[key] = entry
            self._account(entry.weight, 1)
            self._start_writing()
        del old

    def _forget(self, key: int) -> object:
        entry = self._entries.pop(key, None)
        if type(entry) is _Entry:
            if entry.value is not _NOTHING or entry.packed is not None:
                self._account(entry.weight, -1)
            if entry.file is not None:
                self.spilled -= entry.weight.size
                entry.file.unlink(missing_ok=True)
                entry.file = None
        return entry

    def _account(self, weight: Weight, sign: int) -> None:
        self.bytes += sign * weight.own
        for address, size in weight.buffers.items():
            known = self._buffers.get(address)
            if known is None:
                self._buffers[address] = [size, 1]
                self.bytes += size
                continue
            known[1] += sign
            if not known[1]:
                self.bytes -= known[0]
                del self._buffers[address]

    def _start_writing(self) -> None:
        if self.limit is not None and self.bytes > self.limit and not self._writing:
            self._writing = True
            threading.Thread(target=self._write_all, name="plait-spill", daemon=True).start()

    def _oldest(self) -> tuple[int, _Entry] | None:
        """What should leave memory next, if anything has to and can."""
        if self.limit is None or self.bytes <= self.limit:
            return None
        for key, entry in self._entries.items():
            if type(entry) is _Entry and not entry.stays and entry.weight.size >= _WORTH:
                if entry.value is _NOTHING and entry.packed is None:
                    continue
                if self.disk_full and entry.file is None and time.monotonic() < self._try_at:
                    continue
                return key, entry
        return None

    # ---------------------------------------------------------------------------------------- files

    def _write_all(self) -> None:
        """The thread that writes, until there is room again."""
        while True:
            with self._lock:
                oldest = self._oldest()
                if oldest is None:
                    self._writing = False
                    self._written.notify_all()
                    return
                key, entry = oldest
                value, packed, file = entry.value, entry.packed, entry.file
            if file is None:
                begun = time.monotonic()
                file = self._write(entry, value, packed)
                if self.moved is not None and file is not None:
                    self.moved("spill", begun, entry.weight.size)
            del value, packed
            with self._lock:
                if file is None:
                    continue
                if self._entries.get(key) is not entry:  # dropped meanwhile
                    file.unlink(missing_ok=True)
                    continue
                if entry.file is None:
                    entry.file = file
                    self.spilled += entry.weight.size
                freed = entry.value, entry.packed
                self._account(entry.weight, -1)
                entry.value, entry.packed = _NOTHING, None
            del freed

    def _write(self, entry: _Entry, value: object, packed: Packed | None) -> Path | None:
        """A file with a value; None, and the value stays where it is, if that cannot be."""
        try:
            pieces = packed if packed is not None else serialize.dumps(value)
        except SerializationError:
            entry.stays = True
            return None
        path: Path | None = None
        try:
            path = self._scratch.path / f"{os.getpid()}-{next(self._names)}.result"
            write_pieces(path, pieces)
        except OSError as error:
            if error.errno in _FULL:
                self.disk_full, self._try_at = True, time.monotonic() + _AGAIN
            else:
                entry.stays = True
            _log.warning(
                "Results stay in memory: they cannot be written to %s: %s", path, error.strerror
            )
            if path is not None:
                path.unlink(missing_ok=True)
            return None
        self.disk_full = False
        return path

    def _read(self, key: int, file: Path | None) -> Packed:
        if file is None:
            raise GoneError(f"There is no result {key} here")
        try:
            return read_pieces(file)
        except (OSError, ValueError) as error:
            _log.warning("A spilled result is lost: %s", error)
            self.drop([key])
            raise GoneError(f"Result {key} is lost: {error}") from error


def write_pieces(path: Path, pieces: Sequence[serialize.Buffer]) -> None:
    """Write buffers into a new file; it has its name when it is whole."""
    lengths = [memoryview(piece).nbytes for piece in pieces]
    table = struct.pack(f"<{len(lengths)}Q", *lengths)
    checksum = zlib.crc32(table)
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    whole = path.with_suffix(".tmp")
    try:
        with open(whole, "wb") as file:
            file.write(_HEAD.pack(checksum, len(pieces)) + table)
            for piece in pieces:
                file.write(bytes(-file.tell() % _ALIGNED))
                file.write(piece)
        whole.rename(path)
    except BaseException:
        whole.unlink(missing_ok=True)
        raise


def read_pieces(path: Path) -> Packed:
    """The buffers of a file, mapped. ValueError if it is not as it was written."""
    with open(path, "rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if mapped.nbytes < _HEAD.size:
        raise ValueError(f"{path} was cut")
    checksum, number = _HEAD.unpack_from(mapped)
    place = _HEAD.size + 8 * number
    if place > mapped.nbytes:
        raise ValueError(f"{path} was changed")
    table = mapped[_HEAD.size : place]
    found = zlib.crc32(table)
    pieces: Packed = []
    for length in struct.unpack(f"<{number}Q", table):
        place += -place % _ALIGNED
        piece = mapped[place : place + length]
        found = zlib.crc32(piece, found)
        pieces.append(piece)
        place += length
    if found != checksum or place > mapped.nbytes:
        raise ValueError(f"{path} was changed or cut")
    return pieces
