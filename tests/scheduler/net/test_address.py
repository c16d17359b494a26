"""Addresses as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from plait.scheduler.net.address import Address, is_loopback, parse


def test_parse_and_write() -> None:
    for url in ("tcp://127.0.0.1:5?token=a%2Bb", "tls://[::1]:7?token=x&ca=c.pem&cert=a&key=b"):
        assert parse(url).url == url
    assert parse("tcp://host").port == 8786
    assert parse("tcp://host:0").port == 0


def test_secrets_stay_out_of_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "geheim" not in repr(parse("tcp://h:1?token=geheim"))
    assert parse("tcp://h:1?token=geheim").place == "tcp://h:1"
    (tmp_path / "token").write_text("geheim\n")
    assert parse(f"tcp://h:1?token_file={tmp_path}/token").token == "geheim"
    monkeypatch.setenv("PLAIT_TOKEN", "env")
    assert parse("tcp://h:1") == Address("h", 1, token="env")


@pytest.mark.parametrize("url", ["http://h:1", "tcp://:5", "tcp://h:x", "tcp://h:1?tokn=x", "h:1"])
def test_mistakes(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|port|host"):
        parse(url)


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "::1", "localhost", "127.3.2.1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "", "10.0.0.1", "example.org"]))
