"""Memory is asked for ahead: a loop over rows that come from anywhere waits for none of them.

What a row needs of a large table takes two steps: its place in the table, by its key, then what
that leads to. The first is asked for when the row is `FAR` rows ahead, the second, for which the
first must be there, when it is `NEAR` rows ahead (Chen, Ailamaki, Gibbons & Mowry, "Improving Hash
Join Performance through Prefetching", TODS 2007).

It is worth its instructions only where tables are large. Rows that come in the order of their keys
find all they need near by as well: tables of TPC-H, where orders and their lines are in one order,
took a tenth longer with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plait.engine.codegen.emit import I64, Value
from plait.engine.codegen.fillers import SOURCE
from plait.engine.codegen.names import stored_bound

if TYPE_CHECKING:
    from plait.engine.codegen.loop import LoopEmitter

FAR, NEAR = 32, 16  # rows; powers of two
LARGE = 1 << 26  # bytes of a join table, from which on it pays


def values_ahead(loop: LoopEmitter, names: tuple[str, ...]) -> list[Value] | None:
    """The values of some columns in the row `FAR` rows ahead; None unless the batch has them."""
    bounds = [stored_bound(loop.names.columns[name]) for name in names]
    if any(b.expr is not None or b.of != SOURCE or b.layout is None for b in bounds):
        return None
    row = loop.row_ahead(FAR)
    return [loop.stored_at(bound, row) for bound in bounds]


def word_of_near_row(loop: LoopEmitter, word: Any) -> Any:
    """The word of the row `NEAR` rows ahead; `word` is that of the row `FAR` rows ahead.

    Of the first rows, and after rows that did not come so far, it is an older one or 0.
    """
    e, b = loop.e, loop.e.b
    cells, at = e.zeros(FAR), loop.position

    def room() -> Any:
        return I64(FAR)

    near = e.load_at(cells, b.and_(b.add(at, I64(NEAR)), I64(FAR - 1)), I64, room)
    e.store_at(cells, b.and_(at, I64(FAR - 1)), word, room)
    return near
