"""What a whole tree has: the tables it reads, Python functions, the clock.

Kept at each node, so that trees that share parts, as those of repeated queries do, are looked
through once. Whoever keeps plans asks this first: a plan that calls Python holds who knows what
alive, and one that asks for the time is another plan at another time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from plait.planner.expr import Call
from plait.planner.functions import registry
from plait.planner.functions.signature import Volatility
from plait.planner.logical import MapPartitions, Scan, Write
from plait.planner.source import TableSource
from plait.planner.tree import Node, per_node


@dataclass(frozen=True, slots=True)
class Traits:
    """Of a node and all below it.

    sources  of its scans, one of them several times if it is read several times
    effects  it calls Python functions or writes files: what is not in the tree matters
    clock    a function is constant within one query only (now): optimising puts its value there
    """

    sources: tuple[TableSource, ...] = ()
    effects: bool = False
    clock: bool = False


_NONE = Traits()


@cache
def _tells_time(function: str) -> bool:
    return registry.scalar(function).volatility is Volatility.QUERY


@per_node
def traits(node: Node) -> Traits:
    """What the tree of this node has."""
    below = [found for found in map(traits, node.nodes_of(Node)) if found is not _NONE]
    sources = tuple(source for found in below for source in found.sources)
    effects = isinstance(node, MapPartitions | Write) or any(found.effects for found in below)
    clock = any(found.clock for found in below)
    match node:
        case Scan(source=source):
            sources = (source, *sources)
        case Call(function=function):
            clock = clock or _tells_time(function)
    return Traits(sources, effects, clock) if sources or effects or clock else _NONE
