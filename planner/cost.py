"""Costs of choices, in units of one row streamed through a hash table probe.

Only ratios matter: putting a row into a hash table costs some two and a half times of looking one
up, writing a result row as much as a look-up. A table that outgrows the processor's cache costs
more for every look-up.
"""

from __future__ import annotations

import math

PROBE = 1.0
BUILD = 2.5
OUTPUT = 1.0
PAIR = 0.05  # a pair of rows compared without keys
CACHED_ROWS = 100_000.0  # build rows that fit in cache


def join_cost(left: float, right: float, output: float) -> float:
    """A hash join: the smaller side is built, the larger probes."""
    build, probe = min(left, right), max(left, right)
    misses = 1.0 + max(0.0, math.log10((build + 1.0) / CACHED_ROWS))
    return build * BUILD + probe * PROBE * misses + output * OUTPUT


def semi_join_cost(left: float, right: float) -> float:
    """A semi join: the right side is built."""
    misses = 1.0 + max(0.0, math.log10((right + 1.0) / CACHED_ROWS))
    return right * BUILD + left * PROBE * misses


def group_cost(rows: float, groups: float) -> float:
    """A hash aggregation."""
    misses = 1.0 + max(0.0, math.log10((groups + 1.0) / CACHED_ROWS))
    return rows * PROBE * 1.5 * misses + groups * OUTPUT
