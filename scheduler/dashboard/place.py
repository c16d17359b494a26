"""Where a dashboard is: a socket, a token and the URL of both.

The socket listens as soon as a `Place` is made, so its URL is good at once, even while the server
behind it is still being loaded: a browser's first request waits in the socket for a moment.

Without TLS only loopback addresses are allowed: a token that travels in the clear protects nothing.
"""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from plait.errors import ConfigError
from plait.scheduler.net.address import is_loopback

if TYPE_CHECKING:
    import ssl


class Place:
    """A socket that listens, and what it takes to be let in.

    Parameters
    ----------
    host : str
        The address to listen at.
    port : int
        0 for any that is free.
    token : str, optional
        What visitors must show; a new one by default.
    tls : ssl.SSLContext, optional
        Needed for addresses that other machines can reach.
    names : tuple of str
        Further names by which browsers may call this machine, beside its address.
    shown : str, optional
        The name in the URL, if it is not to be `host`.

    Raises
    ------
    ConfigError
        The port is taken, or the address needs TLS.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        names: tuple[str, ...] = (),
        shown: str = "",
    ) -> None:
        if tls is None and not is_loopback(host):
            raise ConfigError(
                f"A dashboard at {host!r} can be reached from other machines, and needs TLS for "
                "that; leave it at 127.0.0.1 (and reach it through `ssh -L`) or give a certificate"
            )
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.socket = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"The dashboard cannot have port {port} of {host}: {error}. Port 0 is any free one"
            ) from error
        self.socket.setblocking(False)
        self.host, self.port = host, int(self.socket.getsockname()[1])
        self.tls = tls
        self.token = token or secrets.token_urlsafe(24)
        self.shown = shown or host
        self.names = frozenset({host, self.shown, "localhost", "127.0.0.1", "::1", *names})

    @property
    def url(self) -> str:
        """What to open in a browser; contains the token."""
        host = f"[{self.shown}]" if ":" in self.shown else self.shown
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{host}:{self.port}/?token={quote(self.token)}"
