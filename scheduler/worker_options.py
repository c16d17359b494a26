"""What a worker is started with; apart from the worker, so that a client need not import that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What a worker offers, and where it may write."""

    threads: int = 1
    memory_limit: int | None = None
    scratch: str | None = None
    resources: tuple[tuple[str, float], ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
