"""What a worker fetches: which key from whom, and what each peer is asked for next.

Each peer is asked for one batch at a time of what it has, in the order in which tasks are to run.
What it is still making it is asked for beside that, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

_KEYS = 128
_BYTES = 64 << 20


@dataclass(slots=True, eq=False)
class _Peer:
    """What is to be fetched from one worker, by rank, and what it is being asked for."""

    queue: list[tuple[int, int, int]] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)


class Fetches:
    """Keys on their way."""

    def __init__(self) -> None:
        self.peer_of: dict[int, int] = {}
        """Key -> the peer that was, or will be, asked for it."""
        self._peers: dict[int, _Peer] = {}

    def add(self, key: int, peer: int, rank: int, size: int) -> None:
        """A key is to be fetched; if from somebody else than was thought, from this one now."""
        if self.peer_of.get(key) == peer:
            return
        self.peer_of[key] = peer
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = _Peer()
        heappush(known.queue, (rank, key, size))

    def expect(self, key: int, peer: int) -> bool:
        """A peer is making a key; whether it is to be asked for it."""
        if self.peer_of.get(key) == peer:
            return False
        self.peer_of[key] = peer
        return True

    def came(self, key: int) -> None:
        """A key is here, from wherever."""
        self.peer_of.pop(key, None)

    def answered(self, peer: int, key: int) -> bool:
        """A peer has given, or refused, a key; whether it was still expected from there."""
        known = self._peers.get(peer)
        if known is not None:
            known.asked.discard(key)
        if self.peer_of.get(key) != peer:
            return False
        del self.peer_of[key]
        return True

    def forget(self, peer: int) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)

    def of(self, peer: int) -> list[int]:
        """What is expected from a peer."""
        return [key for key, other in self.peer_of.items() if other == peer]

    def ask(
        self, needed: Callable[[int], bool], short: bool, busy: bool
    ) -> Iterable[tuple[int, tuple[int, ...]]]:
        """Peers that have nothing to do for us, and the next batch for each.

        If memory is `short`, one key at a time, and nothing while anything else can be done.
        """
        for number, peer in self._peers.items():
            if peer.asked or not peer.queue:
                continue
            if short and (busy or any(other.asked for other in self._peers.values())):
                return
            keys: list[int] = []
            total = 0
            while peer.queue and len(keys) < _KEYS and (total < _BYTES or not keys):
                _, key, size = heappop(peer.queue)
                if self.peer_of.get(key) != number or key in peer.asked:
                    continue
                if not needed(key):
                    del self.peer_of[key]  # nobody needs it any more
                    continue
                keys.append(key)
                total += size
                if short:
                    break
            if keys:
                peer.asked.update(keys)
                yield number, tuple(keys)
