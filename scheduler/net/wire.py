"""All that goes over the wires of a cluster, under one numbering."""

from __future__ import annotations

from plait.scheduler.net.codec import Codec
from plait.scheduler.net.control import CONTROL
from plait.scheduler.state import messages as m

FROM_CLIENT: tuple[type, ...] = (m.Submit, m.Release, m.Cancel, m.Unreachable)
FROM_WORKER: tuple[type, ...] = (
    *(m.Done, m.Failed, m.Missing, m.Returned, m.Copied, m.Memory, m.Digest, m.Inventory),
    m.Waiting,
)
TO_WORKER: tuple[type, ...] = (
    *(m.RunTasks, m.Drop, m.Discard, m.Retract, m.Functions, m.Peers, m.PeersGone),
    *(m.Copy, m.Audit),
)
TO_CLIENT: tuple[type, ...] = (m.Finished, m.Lost, m.TasksDone, m.Retrying, m.RunFailed)

# Peers and PeersGone go to workers and clients alike.
CODEC = Codec((*FROM_CLIENT, *FROM_WORKER, *TO_WORKER, *TO_CLIENT, *CONTROL))
