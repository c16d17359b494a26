"""TLS contexts.

A server needs a certificate and key. Its fingerprint is part of the handshake (`net/auth.py`), so
who knows the token needs no authority to know the server; with `ca` certificates are checked as
well, on both sides.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from plait.scheduler.net.address import Address

# What OpenSSL calls an answer that is not of its protocol, which depends on the answer's bytes.
_NO_TLS = {
    *("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"),
    *("UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"),
}


def server_context(cert: str, key: str, ca: str = "") -> ssl.SSLContext:
    """What a server speaks TLS with; with `ca` clients must show a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, cert, key)
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(address: Address) -> ssl.SSLContext:
    """What a client speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # names of hosts say little in a cluster; the token's proof covers the certificate itself
    context.check_hostname = False
    if address.ca:
        context.load_verify_locations(address.ca)
    else:
        context.verify_mode = ssl.CERT_NONE
    if address.cert:
        _load(context, address.cert, address.key)
    return context


def one_sided(address: Address, error: BaseException | None = None) -> str:
    """What to add where a handshake failed like this, as when only one side speaks TLS."""
    if not address.tls:
        return "; if it speaks TLS, its address begins with tls://"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "; it does not speak TLS: its address begins with tcp://"
    return ""


def fingerprint_of_file(cert: str) -> str:
    """The SHA-256 of a server's own certificate, the first one in its file."""
    text = Path(cert).read_text(encoding="ascii")
    end = "-----END CERTIFICATE-----"
    start = text.index("-----BEGIN CERTIFICATE-----")
    first = text[start : text.index(end, start) + len(end)]
    return fingerprint(ssl.PEM_cert_to_DER_cert(first))


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate (DER)."""
    return hashlib.sha256(certificate).hexdigest()


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        context.load_cert_chain(cert, key or None)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"The certificate {cert!r} with key {key!r} cannot be read: {error}"
        ) from (error)
