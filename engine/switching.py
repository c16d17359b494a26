"""How fast threads hand over the GIL while fragments run.

Kernels are mostly short calls that let the GIL go (Arrow) between short calls that keep it (numpy,
Python). A thread that comes back from the former waits until the other one is in the latter's
place, by default for up to 5 ms; asking every 50 µs instead made TPC-H a tenth faster on two
threads at the same processor time. Trivial tasks would lose by it, so it holds only while a
fragment runs.
"""

from __future__ import annotations

import sys

from plait.planner.interpreter import Meanwhile

_INTERVAL = 5e-5  # seconds

brisk_switching = Meanwhile(
    sys.getswitchinterval, sys.setswitchinterval, lambda before: min(before, _INTERVAL)
)
