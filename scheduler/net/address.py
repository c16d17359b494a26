"""Where a scheduler or worker is, and what it takes to connect: one URL.

    tcp://127.0.0.1:8786?token=...                   loopback, or a network that is one's own
    tls://data.example.org:8786?token=...            encrypted; the token proves the server as well
    tls://...?token=...&ca=ca.pem&cert=me.pem&key=me.key

The token may also be in a file that others cannot read (`token_file=`) or in the environment
variable PLAIT_TOKEN, so that it does not appear in a list of processes.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

DEFAULT_PORT = 8786


@dataclass(frozen=True, slots=True)
class Address:
    """A place to connect to, with the means."""

    host: str
    port: int = DEFAULT_PORT
    tls: bool = False
    token: str = field(default="", repr=False)
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def place(self) -> str:
        """Scheme, host and port: for messages, and for other workers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """All of it, secret included."""
        options = {"token": self.token, "ca": self.ca, "cert": self.cert, "key": self.key}
        query = "&".join([f"{name}={quote(value)}" for name, value in options.items() if value])
        return f"{self.place}?{query}" if query else self.place


def parse(url: str) -> Address:
    """An address from a URL. ValueError says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in ("tcp", "tls"):
        raise ValueError(f"An address begins with tcp:// or tls://, not {url!r}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"The port in {url.partition('?')[0]!r} is no number: {error}") from error
    if not host:
        raise ValueError(f"There is no host in {url.partition('?')[0]!r}")
    options = dict(parse_qsl(parts.query))
    known = {"token", "token_file", "ca", "cert", "key"}
    if unknown := set(options) - known:
        raise ValueError(
            f"An address has no option {', '.join(sorted(unknown))}; there are "
            f"{', '.join(sorted(known))}"
        )
    token = options.get("token", "")
    if not token and "token_file" in options:
        token = Path(options["token_file"]).read_text(encoding="utf-8").strip()
    return Address(
        host,
        DEFAULT_PORT if port is None else port,
        parts.scheme == "tls",
        token or os.environ.get("PLAIT_TOKEN", ""),
        *[options.get(name, "") for name in ("ca", "cert", "key")],
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host in ("localhost", ""):
        return host == "localhost"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
