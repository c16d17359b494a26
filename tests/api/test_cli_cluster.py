"""`plait scheduler` and `plait worker` as processes of their own, with TLS; and their mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

import plait
from plait.cli import main
from plait.scheduler.client import ClusterExecutor

COMMAND = [sys.executable, "-m", "plait"]


def test_a_cluster_with_tls(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    secured = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    known = {**os.environ, "PLAIT_TOKEN": "geheim"}
    with subprocess.Popen(
        [*COMMAND, "scheduler", "--port", "0", *secured],
        stdout=subprocess.PIPE,
        env=known,
        text=True,
    ) as scheduler:
        assert scheduler.stdout is not None
        url = scheduler.stdout.readline().strip()
        assert url.startswith("tls://127.0.0.1:")
        place = url.partition("?")[0]
        worker = subprocess.Popen(
            [*COMMAND, "worker", place, "--workers", "2", "--resources", "GPU=1", *secured],
            env=known,
        )
        try:
            with plait.connect(url) as session:
                assert isinstance(session.executor, ClusterExecutor)
                session.executor.wait_for_workers(2, 30)
                answer = session.execute("select sum(n) as s from (values (1), (2), (39)) t(n)")
                assert answer.to_pydict() == {"s": [42]}
        finally:
            scheduler.send_signal(signal.SIGTERM)
            assert scheduler.wait(30) == 0
            worker.wait(30)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["scheduler", "--host", "0.0.0.0"], "needs TLS"),
        (["scheduler", "--token-file", "nowhere"], "nowhere cannot be read"),
        (["worker", "http://x"], "begins with tcp"),
        (["worker", "tcp://127.0.0.1:1?token=x"], "cannot be reached"),
        (["worker", "tcp://127.0.0.1:1?token=x", "--resources", "GPU"], "NAME=AMOUNT"),
    ],
)
def test_mistakes(command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    assert main(command) == 1
    assert said in capsys.readouterr().err
    assert handlers == [
        signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    ]
