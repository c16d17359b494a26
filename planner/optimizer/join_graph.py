"""A block of inner joins as a graph, and the cheapest tree over it.

Nodes are relations, by number and as bits of an integer; edges are equalities. Equal expressions
form classes, and two sets of relations are connected if a class has members in both: `a = b AND
b = c` lets `a` join `c` first. Every class that connects two sets gives one equality to their join.

`best_tree` enumerates connected subgraphs and their complements (Moerkotte & Neumann, "Analysis of
two existing and one new dynamic programming algorithm", VLDB 2006), keeping the cheapest tree of
each set. Where that is too much work it merges greedily (Fegaras, GOO, 1998). Components that
nothing connects are joined last, smallest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from plait.planner.cost import join_cost
from plait.planner.estimate import key_domain
from plait.planner.expr import Expr
from plait.planner.predicates import JoinKey
from plait.planner.selectivity import Estimate

MOST_PAIRS = 2500  # pairs of sets looked at by dynamic programming, some 10 µs each
MOST_MEMBERS = 4  # of a class, compared to find the most telling pair


@dataclass(frozen=True)
class Member:
    """An expression over one relation, one of a class of equal ones."""

    relation: int
    expr: Expr


@dataclass(frozen=True)
class Link:
    """A class of expressions that are equal; `null_safe` where NULL equals NULL."""

    members: tuple[Member, ...]
    bits: int
    null_safe: bool = False


@dataclass(frozen=True)
class Residual:
    """Another condition over several relations, and the part of rows that it lets pass."""

    expr: Expr
    bits: int
    selectivity: float


@dataclass(frozen=True)
class Tree:
    """A relation or a join of two trees."""

    bits: int
    rows: float
    cost: float
    relation: int | None = None
    left: Tree | None = None
    right: Tree | None = None


class TooMany(Exception):  # noqa: N818  (a signal within this file)
    """Dynamic programming would take too long."""


@dataclass
class Graph:
    """Relations with their estimates, and what connects them."""

    estimates: Sequence[Estimate]
    links: Sequence[Link]
    residuals: Sequence[Residual]
    _neighbours: list[int] = field(default_factory=list)
    _domains: dict[tuple[int, int, tuple[int, ...]], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        near = [0] * len(self.estimates)
        groups = [link.bits for link in self.links]
        # one row beside anything filters: let it go where its conditions are
        single = sum(1 << i for i, e in enumerate(self.estimates) if e.rows <= 1.0)
        groups += [r.bits for r in self.residuals if r.bits & single and r.bits.bit_count() == 2]
        for bits in groups:
            for i in range(len(near)):
                if bits >> i & 1:
                    near[i] |= bits & ~(1 << i)
        self._neighbours = near

    # ----------------------------------------------------------------------------------- joining

    def leaf(self, i: int) -> Tree:
        """The tree of one relation."""
        return Tree(1 << i, self.estimates[i].rows, 0.0, i)

    def join(self, a: Tree, b: Tree) -> Tree:
        """Both trees joined, the smaller one on the right to be built."""
        rows = a.rows * b.rows / self._domain(a.bits, b.bits)
        both = a.bits | b.bits
        for r in self.residuals:
            if r.bits & ~both == 0 and r.bits & a.bits and r.bits & b.bits:
                rows *= r.selectivity
        rows = max(rows, min(1.0, a.rows, b.rows))
        cost = a.cost + b.cost + join_cost(a.rows, b.rows, rows)
        if a.rows < b.rows:
            a, b = b, a
        return Tree(both, rows, cost, None, a, b)

    def equalities(self, a: int, b: int) -> list[tuple[Link, Member, Member]]:
        """For each class with members in both sets: the members to compare."""
        found = []
        for i, j, numbers, _ in self._connections(a, b):
            for number in numbers:
                link = self.links[number]
                found.append((link, _member(link, i), _member(link, j)))
        return found

    def _domain(self, a: int, b: int) -> float:
        """By what the product of rows is divided: the domains of the keys between two sets."""
        total = 1.0
        for *_, domain in self._connections(a, b):
            total *= domain
        return total

    def _connections(self, a: int, b: int) -> list[tuple[int, int, list[int], float]]:
        """Relations in either set, the classes by which they are compared, and their domain.

        Each class counts once, together with the others that the same two relations share: the
        columns of a composite key have fewer values than their product.
        """
        pairs: dict[tuple[int, int], list[int]] = {}
        left = 0
        for number, link in enumerate(self.links):
            if link.bits & a and link.bits & b:
                left += 1
                here = [m.relation for m in link.members if a >> m.relation & 1]
                there = [m.relation for m in link.members if b >> m.relation & 1]
                for i in here[:MOST_MEMBERS]:
                    for j in there[:MOST_MEMBERS]:
                        pairs.setdefault((i, j), []).append(number)
        result = []
        done: set[int] = set()
        while left:
            found: list[tuple[int, float, str, int, int, list[int]]] = []
            for (i, j), numbers in pairs.items():
                fresh = [n for n in numbers if n not in done]
                if fresh:
                    domain = self._pair_domain(i, j, tuple(fresh))
                    # by name among equals, so that a second run finds the same
                    found.append((-len(fresh), domain, self._name(fresh[0], i, j), i, j, fresh))
            _, domain, _, i, j, numbers = min(found)
            result.append((i, j, numbers, domain))
            done.update(numbers)
            left -= len(numbers)
        return result

    def _name(self, number: int, i: int, j: int) -> str:
        link = self.links[number]
        return " ".join(sorted((str(_member(link, i).expr), str(_member(link, j).expr))))

    def _pair_domain(self, i: int, j: int, numbers: tuple[int, ...]) -> float:
        key = (i, j, numbers)
        known = self._domains.get(key)
        if known is None:
            keys = []
            for number in numbers:
                link = self.links[number]
                keys.append(JoinKey(_member(link, i).expr, _member(link, j).expr, False))
            known = key_domain(self.estimates[i], self.estimates[j], keys)
            self._domains[key] = self._domains[(j, i, numbers)] = known
        return known

    # -------------------------------------------------------------------------------- enumerating

    def near(self, bits: int) -> int:
        """The relations connected with a set, outside it."""
        found, rest = 0, bits
        while rest:
            low = rest & -rest
            found |= self._neighbours[low.bit_length() - 1]
            rest ^= low
        return found & ~bits

    def components(self) -> list[int]:
        """The sets of relations that are connected."""
        left = (1 << len(self.estimates)) - 1
        found = []
        while left:
            grown = left & -left
            while more := self.near(grown):
                grown |= more
            found.append(grown)
            left &= ~grown
        return found

    def best_tree(self) -> Tree:
        """The cheapest tree over all relations."""
        trees = sorted((self._best(c) for c in self.components()), key=lambda tree: tree.rows)
        result = trees[0]
        for tree in trees[1:]:
            result = self.join(result, tree)
        return result

    def _best(self, component: int) -> Tree:
        try:
            return self._dynamic(component)
        except TooMany:
            return self._greedy(component)

    def _dynamic(self, component: int) -> Tree:
        members = [i for i in range(len(self.estimates)) if component >> i & 1]
        best: dict[int, Tree] = {1 << i: self.leaf(i) for i in members}
        # larger sets come after all of their parts
        pairs = sorted(self._pairs(members), key=lambda ab: (ab[0] | ab[1]).bit_count())
        for a, b in pairs:
            tree = self.join(best[a], best[b])
            known = best.get(tree.bits)
            if known is None or tree.cost < known.cost:
                best[tree.bits] = tree
        return best[component]

    def _pairs(self, members: list[int]) -> list[tuple[int, int]]:
        """Each pair of connected sets that are connected with one another, once."""
        found: list[tuple[int, int]] = []
        for i in reversed(members):
            for a in self._grown(1 << i, (1 << (i + 1)) - 1):
                low = a & -a
                barred = a | (low - 1) | low
                near = self.near(a) & ~barred
                for j in reversed(members):
                    if near >> j & 1:
                        for b in self._grown(1 << j, barred | (near & ((1 << (j + 1)) - 1))):
                            found.append((a, b))
                            if len(found) > MOST_PAIRS:
                                raise TooMany
        return found

    def _grown(self, start: int, barred: int) -> Iterator[int]:
        """`start` and all connected sets that contain it and nothing barred."""
        yield start
        near = self.near(start) & ~barred
        if not near:
            return
        subset = near & -near
        subsets = []
        while subset:
            subsets.append(subset)
            subset = (subset - near) & near
        for extra in subsets:
            yield from self._grown(start | extra, barred | near)

    def _greedy(self, component: int) -> Tree:
        """The two trees whose join is smallest are joined, again and again."""
        trees = [self.leaf(i) for i in range(len(self.estimates)) if component >> i & 1]
        choices: list[tuple[Tree, Tree, Tree]] = []
        fresh = trees
        while len(trees) > 1:
            choices += [
                (self.join(a, b), a, b)
                for a in fresh
                for b in trees
                if (a.bits < b.bits or b not in fresh) and self.near(a.bits) & b.bits
            ]
            joined, a, b = min(choices, key=lambda c: (c[0].rows, c[0].cost))
            gone = a.bits | b.bits
            choices = [c for c in choices if not c[0].bits & gone]
            trees = [tree for tree in trees if not tree.bits & gone]
            fresh = [joined]
            trees.append(joined)
        return trees[0]


def _member(link: Link, relation: int) -> Member:
    return next(m for m in link.members if m.relation == relation)
