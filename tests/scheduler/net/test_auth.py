"""The handshake lets in who knows the token, and nobody else."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.errors import AuthenticationError
from plait.scheduler.net import auth
from plait.scheduler.net.auth import ClientHandshake, Refused, ServerHandshake, frame


def content(data: bytes) -> bytes:
    assert auth.length(data[: auth.PREFIX]) == len(data) - auth.PREFIX
    return data[auth.PREFIX :]


def shake(server: ServerHandshake, client: ClientHandshake) -> tuple[str, str]:
    answer = client.answer(content(server.hello()))
    reply, role, name = server.answer(content(answer))
    client.finish(content(reply))
    return role, name


def test_the_right_token() -> None:
    assert shake(ServerHandshake("t", "f"), ClientHandshake("t", "worker", "w 1", "f")) == (
        *("worker", "w 1"),
    )


@pytest.mark.parametrize(("token", "fingerprint"), [("other", "f"), ("", "f"), ("t", "mine")])
def test_a_wrong_token_or_certificate(token: str, fingerprint: str) -> None:
    client = ClientHandshake(token, "client", fingerprint=fingerprint)
    server = ServerHandshake("t", "f")
    with pytest.raises(Refused, match="wrong token") as refused:
        server.answer(content(client.answer(content(server.hello()))))
    with pytest.raises(AuthenticationError, match="Refused by the other side: wrong token"):
        client.finish(content(refused.value.reply))


def test_another_version_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = ServerHandshake("t"), ClientHandshake("t", "client")
    monkeypatch.setattr(auth, "VERSION", 99)
    answer = client.answer(content(server.hello()))
    monkeypatch.undo()
    with pytest.raises(Refused, match="version 99 of the protocol, this one 1: install the same"):
        server.answer(content(answer))


def test_an_unknown_role() -> None:
    with pytest.raises(Refused, match="no role 'boss'"):
        shake(ServerHandshake("t"), ClientHandshake("t", "boss"))


def test_a_server_that_does_not_know_the_token() -> None:
    client = ClientHandshake("t", "client")
    client.answer(content(ServerHandshake("t").hello()))
    with pytest.raises(AuthenticationError, match="does not know the token"):
        client.finish(content(frame(["ok", "0" * 64])))


def test_an_answer_is_good_once() -> None:
    first, second = ServerHandshake("t"), ServerHandshake("t")
    answer = ClientHandshake("t", "client").answer(content(first.hello()))
    with pytest.raises(Refused):
        second.answer(content(answer))


def test_a_proof_cannot_be_sent_back() -> None:
    """A client that is answered with its own proof notices."""
    server, client = ServerHandshake("t"), ClientHandshake("t", "client")
    fields = msgpack.unpackb(content(client.answer(content(server.hello()))))
    with pytest.raises(AuthenticationError):
        client.finish(content(frame(["ok", fields[-1]])))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(AuthenticationError):
        ServerHandshake("t").answer(data)
    with pytest.raises(AuthenticationError):
        ClientHandshake("t", "client").answer(data)


def test_long_frames_are_refused_unread() -> None:
    with pytest.raises(AuthenticationError):
        auth.length(b"\xff\xff")


def test_no_bytes_and_no_extensions_in_a_handshake() -> None:
    with pytest.raises(AuthenticationError):
        ServerHandshake("t").answer(msgpack.packb([1, "client", "", "n", b"proof"]))
