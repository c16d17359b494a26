"""Which keys a worker has, whose they are, and which may go.

    held    the worker's own in the scheduler's eyes, with the attempt that made each
    copies  others: fetched, or dropped by the scheduler while a task here still uses them
    users   key -> the tasks here that take it, whether it is here yet or not
    idle    copies without users, oldest first, with the time when the last one went

What is held, or has users, is never deleted. Idle copies stay for a while, up to `copy_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterable

from plait.scheduler.state.messages import PART_MASK, key_of, task_of


class Shelf:
    """The keys of one worker. Methods that let keys go return those the store may delete."""

    def __init__(self, copy_bytes: int) -> None:
        self.copy_bytes = copy_bytes
        self.held: dict[int, int] = {}
        self.copies: set[int] = set()
        self.users: dict[int, set[int]] = {}
        self.idle: dict[int, float] = {}
        self.held_bytes = 0
        self._idle_bytes = 0
        self._sizes: dict[int, int] = {}
        # Tasks of which a part beyond the first is held: how many parts there may be, how many of
        # those are held.
        self._made: dict[int, list[int]] = {}

    def __contains__(self, key: int) -> bool:
        return key in self.held or key in self.copies

    def size(self, key: int) -> int:
        """Bytes of a key that is here."""
        return self._sizes[key]

    def use(self, key: int, task: int) -> bool:
        """Note that a task takes a key; whether the key is here."""
        users = self.users.get(key)
        if users is None:
            self.users[key] = {task}
            self._wake(key)
        else:
            users.add(task)
        return key in self.held or key in self.copies

    def unuse(self, keys: Iterable[int], task: int, now: float) -> list[int]:
        """A task does not take these keys any more.

        What was one of several parts goes at once: an exchange's parts are taken by one task each.
        """
        gone: list[int] = []
        for key in keys:
            users = self.users[key]
            users.discard(task)
            if not users:
                del self.users[key]
                if key not in self.copies:
                    continue
                if key & PART_MASK:
                    self.copies.discard(key)
                    del self._sizes[key]
                    gone.append(key)
                else:
                    self.idle[key] = now
                    self._idle_bytes += self._sizes[key]
        if self._idle_bytes > self.copy_bytes:
            gone += self.evict()
        return gone

    def hold(self, key: int, attempt: int, size: int) -> None:
        """A key becomes the worker's own."""
        if key in self.copies:
            self._wake(key)
            self.copies.discard(key)
        self.held[key] = attempt
        self._sizes[key] = size
        self.held_bytes += size
        part = key & PART_MASK
        if part:
            made = self._made.setdefault(task_of(key), [0, 0])
            if part >= made[0]:
                made[0] = part + 1
            made[1] += 1

    def keep(self, key: int, size: int) -> None:
        """A key is here as a copy; it has users."""
        self.copies.add(key)
        self._sizes[key] = size

    def own(self, key: int, attempt: int) -> None:
        """A copy becomes the worker's own."""
        self.hold(key, attempt, self._sizes[key])

    def unhold(self, key: int) -> bool:
        """A key is not the worker's own any more; whether it may go.

        It stays as a copy while it has users.
        """
        del self.held[key]
        self.held_bytes -= self._sizes[key]
        if key & PART_MASK:
            task = task_of(key)
            made = self._made[task]
            made[1] -= 1
            if not made[1]:
                del self._made[task]
        if key in self.users:
            self.copies.add(key)
            return False
        del self._sizes[key]
        return True

    def unhold_task(self, task: int, attempt: int) -> list[int]:
        """What exactly this attempt made is not the worker's own any more."""
        parts = self._made[task][0] if task in self._made else 1
        keys = range(key_of(task), key_of(task) + parts)
        return [key for key in keys if self.held.get(key) == attempt and self.unhold(key)]

    def lose(self, keys: Iterable[int]) -> list[int]:
        """Keys whose values are damaged; returns those that were here."""
        lost = [key for key in keys if key in self]
        for key in lost:
            if key in self.held:
                self.unhold(key)
            self._wake(key)
            self.copies.discard(key)
            self._sizes.pop(key, None)
        return lost

    def evict(self, until: float | None = None) -> list[int]:
        """Let idle copies go, oldest first: those idle since `until`, and what is too much."""
        gone: list[int] = []
        for key, since in self.idle.items():
            if self._idle_bytes <= self.copy_bytes and (until is None or since > until):
                break
            gone.append(key)
            self._idle_bytes -= self._sizes.pop(key)
        for key in gone:
            del self.idle[key]
            self.copies.discard(key)
        return gone

    def let_go(self, key: int) -> bool:
        """Let a copy go, if it is idle; whether it was."""
        if key not in self.idle:
            return False
        self._wake(key)
        self.copies.discard(key)
        del self._sizes[key]
        return True

    def _wake(self, key: int) -> None:
        if key in self.idle:
            del self.idle[key]
            self._idle_bytes -= self._sizes[key]
