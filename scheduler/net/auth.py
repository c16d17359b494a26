"""The handshake: both sides prove that they know the token, before anything else is said.

    server  [magic, version, nonce]                            hello
    client  [version, role, name, nonce, proof]                answer
    server  ["ok", proof]  or  ["refused", text]

A proof is HMAC-SHA256 under the token of: which side proves, protocol version, role, name, both
nonces, and the fingerprint of the server's TLS certificate as the side sees it (nothing without
TLS). A proof is thus good for one connection only, neither side can be played against the other,
and who puts himself in the middle with a certificate of his own is noticed: with a token a
self-signed certificate is as good as any.

Pure: bytes in, bytes out; `net/comm.py` carries them, in frames of at most 1 KiB, and allows the
whole some seconds. Another protocol version is told in words, but only to who knows the token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import Any

import msgpack

from plait.scheduler.errors import AuthenticationError

MAGIC = "plait"
VERSION = 1
MOST = 1024  # bytes of a frame of the handshake
SECONDS = 5.0  # for all of it
ROLES = frozenset({"client", "worker", "supervisor", "observer"})

_LENGTH = struct.Struct("<H")
PREFIX = _LENGTH.size


def frame(content: list[object]) -> bytes:
    """A frame of the handshake."""
    data: bytes = msgpack.packb(content)
    assert len(data) <= MOST
    return _LENGTH.pack(len(data)) + data


def length(prefix: bytes) -> int:
    """How long the frame is that begins like this. AuthenticationError if too long."""
    (count,) = _LENGTH.unpack(prefix)
    if count > MOST:
        raise AuthenticationError("What answered does not speak plait's protocol")
    return int(count)


class ServerHandshake:
    """The side that was connected to."""

    def __init__(self, token: str, fingerprint: str = "", nonce: str | None = None) -> None:
        self._token, self._fingerprint = token, fingerprint
        self._nonce = nonce or secrets.token_hex(16)

    def hello(self) -> bytes:
        """What is sent first."""
        return frame([MAGIC, VERSION, self._nonce])

    def answer(self, data: bytes) -> tuple[bytes, str, str]:
        """For the client's frame: reply, role, name. AuthenticationError with `reply` to send."""
        fields = _fields(data, (int, str, str, str, str))
        version, role, name, nonce, proof = fields
        expected = _proof(
            self._token, "client", version, role, name, self._nonce, nonce, self._fingerprint
        )
        if not hmac.compare_digest(proof.encode(), expected.encode()):
            raise Refused("wrong token, or another TLS certificate than this server's")
        if version != VERSION:
            raise Refused(
                f"the other side speaks version {version} of the protocol, this one {VERSION}: "
                "install the same version of plait on both"
            )
        if role not in ROLES:
            raise Refused(f"there is no role {role!r}")
        own = _proof(
            self._token, "server", version, role, name, self._nonce, nonce, self._fingerprint
        )
        return frame(["ok", own]), role, name


class ClientHandshake:
    """The side that connects, in a role."""

    def __init__(
        self, token: str, role: str, name: str = "", fingerprint: str = "", nonce: str | None = None
    ) -> None:
        self._token, self._role, self._name = token, role, name[:200]
        self._fingerprint = fingerprint
        self._nonce = nonce or secrets.token_hex(16)
        self._expected = ""

    def answer(self, data: bytes) -> bytes:
        """What to say to the server's hello."""
        magic, version, nonce = _fields(data, (str, int, str))
        if magic != MAGIC:
            raise AuthenticationError("What answered does not speak plait's protocol")
        # our own version: a server of another one is to tell, once it knows who asks
        del version
        said = (VERSION, self._role, self._name, nonce, self._nonce, self._fingerprint)
        self._expected = _proof(self._token, "server", *said)
        proof = _proof(self._token, "client", *said)
        return frame([VERSION, self._role, self._name, self._nonce, proof])

    def finish(self, data: bytes) -> None:
        """Check the server's last frame. AuthenticationError if it is no yes, or not the server."""
        verdict, text = _fields(data, (str, str))
        if verdict == "refused":
            raise AuthenticationError(f"Refused by the other side: {text}")
        if verdict != "ok" or not hmac.compare_digest(text.encode(), self._expected.encode()):
            raise AuthenticationError("The other side does not know the token")


class Refused(AuthenticationError):  # noqa: N818 - the state of a handshake more than an error
    """The server says no, and `reply` is how."""

    def __init__(self, text: str) -> None:
        super().__init__(f"A connection was refused: {text}")
        self.reply = frame(["refused", text])


def _proof(
    token: str,
    side: str,
    version: int,
    role: str,
    name: str,
    server_nonce: str,
    client_nonce: str,
    fingerprint: str,
) -> str:
    # msgpack, so that no two different lists give the same bytes
    said = msgpack.packb([side, version, role, name, server_nonce, client_nonce, fingerprint])
    return hmac.new(token.encode(), said, hashlib.sha256).hexdigest()


def _fields(data: bytes, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    try:
        fields = msgpack.unpackb(data, use_list=False, raw=False, max_ext_len=0, max_bin_len=0)
    except Exception as error:  # msgpack's errors have no common base
        raise AuthenticationError("The other side does not speak plait's protocol") from error
    if type(fields) is not tuple or tuple(map(type, fields)) != kinds:
        raise AuthenticationError("The other side does not speak plait's protocol")
    return fields
