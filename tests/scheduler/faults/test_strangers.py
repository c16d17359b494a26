"""What a scheduler and a worker of a real cluster do with bytes of somebody who knows no token."""

from __future__ import annotations

import operator
import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.errors import AuthenticationError
from plait.scheduler.net import auth
from plait.scheduler.net.address import parse
from tests.scheduler.faults.stage import call

FIRST_BYTES = [
    pytest.param(b"", id="nothing"),
    pytest.param(os.urandom(10_000), id="random"),
    pytest.param(b"\xff" * 64, id="long"),
    pytest.param(auth._LENGTH.pack(1000) + b"\xdd\xff\xff\xff\xff" * 200, id="bomb"),
    pytest.param(auth._LENGTH.pack(40) + pickle.dumps(os.getpid).ljust(40), id="pickle"),
    pytest.param(
        b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nrun!", id="http"
    ),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(1) as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: LocalCluster) -> Iterator[ClusterExecutor]:
    with cluster.executor() as executor:
        yield executor


@pytest.mark.parametrize("said", FIRST_BYTES)
def test_first_bytes(cluster: LocalCluster, executor: ClusterExecutor, said: bytes) -> None:
    """The connection is closed, having said nothing but its hello; the others notice nothing."""
    assert call(executor, operator.add, 1, 2) == 3
    worker = next(iter(executor.gatherer._addresses.values()))
    for address in (parse(cluster.address), worker):
        with socket.create_connection((address.host, address.port), 10) as raw:
            raw.sendall(said)
            raw.shutdown(socket.SHUT_WR)
            heard = b""
            with suppress(ConnectionResetError):  # it closed with bytes of ours unread
                while piece := raw.recv(4096):
                    heard += piece
        assert len(heard) < 200
    assert call(executor, operator.add, 1, 2) == 3


def test_no_token(cluster: LocalCluster) -> None:
    for token in ("", "?token=guess"):
        with pytest.raises(AuthenticationError, match="token"):
            ClusterExecutor(cluster.address.partition("?")[0] + token)


def test_another_version(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "VERSION", auth.VERSION + 1)
    with pytest.raises(AuthenticationError, match="install the same version of plait on both"):
        ClusterExecutor(cluster.address)
