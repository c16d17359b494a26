"""Access: how a store is opened, carried in plans as a reference that says nothing.

Storage options hold keys and tokens. Plans, splits and tasks carry an `Access` instead: a random
name under which this process holds the options. Its repr and its pickle are that name, so nothing
that is printed, logged or written down can show a secret. Only what is pickled while options are
`carried` brings them along: tasks for the processes of a cluster, which are trusted with them.
Elsewhere what was given in code stays in the process it was given to; another process opens the
same URL with its own configuration and the credentials it finds around it, and says so if a
reference was meant for somebody else.

Signatures and passwords within a URL (`https://user:word@host/x.csv?X-Amz-Signature=...`) are
options too: `split_url` takes them out of it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from plait import config
from plait.config import Config
from plait.errors import ReadError

_lock = threading.Lock()
_carrying = threading.local()
_key = os.urandom(16)  # hashes of this process tell nothing to others


@dataclass(frozen=True)
class _Held:
    """What a reference stands for."""

    options: Mapping[str, Any]
    by_prefix: Mapping[str, Mapping[str, Any]] | None = None
    userinfo: str = ""
    query: str = ""
    url_options: Mapping[str, Any] = field(default_factory=dict)  # what fsspec finds in the URL

    @property
    def empty(self) -> bool:
        return self == _Held({})


_held: dict[str, _Held] = {}
_references: dict[str, str] = {}  # of equal options, so that equal plans stay equal


@dataclass(frozen=True)
class Access:
    """A reference to storage options; without one, configuration and environment decide."""

    reference: str = ""

    @staticmethod
    def of(
        options: Mapping[str, Any] | Access | None,
        by_prefix: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Access:
        """The access of options as a user gave them; `by_prefix` are a session's own settings."""
        if isinstance(options, Access):
            return options
        if by_prefix == config.get("storage"):
            by_prefix = None  # nothing of the session's own
        return _hold(_Held(dict(options or {}), by_prefix))

    @staticmethod
    def within(options: Mapping[str, Any] | Access | None, config: Config) -> Access:
        """The access of options given in a session with its own settings."""
        return Access.of(options, config.get("storage"))

    def with_url(self, userinfo: str = "", query: str = "", **options: Any) -> Access:
        """The same access for a URL with these parts."""
        held = self._resolve("")
        more = {**held.url_options, **options}
        return _hold(
            _Held(
                held.options, held.by_prefix, userinfo or held.userinfo, query or held.query, more
            )
        )

    def options_for(self, url: str) -> dict[str, Any]:
        """fsspec's storage options: configured for the longest prefix of the URL, then given."""
        held = self._resolve(url)
        known = config.get("storage") if held.by_prefix is None else held.by_prefix
        fitting = [prefix for prefix in known if url.startswith(prefix)]
        configured = known[max(fitting, key=len)] if fitting else {}
        return {**held.url_options, **configured, **held.options}

    @property
    def mark(self) -> str:
        """Tells URLs apart that differ in their query only; empty without one."""
        query = self._resolve("").query
        if not query:
            return ""
        return " " + hashlib.blake2b(query.encode(), key=_key, digest_size=8).hexdigest()

    def whole(self, url: str) -> str:
        """The URL with what was taken out of it."""
        held = self._resolve(url)
        if not held.userinfo and not held.query:
            return url
        parts = urlsplit(url)
        host = f"{held.userinfo}@{parts.netloc}" if held.userinfo else parts.netloc
        return urlunsplit(parts._replace(netloc=host, query=held.query, fragment=""))

    def hide(self, text: str, url: str = "") -> str:
        """A text of somebody else's without the secrets that it may repeat."""
        held = self._resolve(url)
        found = {held.userinfo, held.userinfo.partition(":")[2], held.query}
        found |= {v for v in _texts(self.options_for(url)) if len(v) > 3}
        for secret in sorted(found - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        if self.reference and getattr(_carrying, "on", False):
            return _brought, (self.reference, self._resolve(""))
        return Access, (self.reference,)

    def _resolve(self, url: str) -> _Held:
        if not self.reference:
            return _Held({})
        with _lock:
            known = _held.get(self.reference)
        if known is None:
            raise ReadError(
                f"{url}: storage options given in code stay in the process they were given to; "
                "name them in the setting `storage` where this runs, or in its environment"
            )
        return known


@contextmanager
def carried() -> Iterator[None]:
    """Meanwhile references that this thread pickles bring what they stand for."""
    before = getattr(_carrying, "on", False)
    _carrying.on = True
    try:
        yield
    finally:
        _carrying.on = before


def _brought(reference: str, held: _Held) -> Access:
    with _lock:
        _held.setdefault(reference, held)
    return Access(reference)


def _hold(held: _Held) -> Access:
    if held.empty:
        return Access()
    key = repr(held)
    with _lock:
        reference = _references.setdefault(key, os.urandom(8).hex())
        _held[reference] = held
    return Access(reference)


def _texts(value: Any) -> set[str]:
    """The texts in options that may be secret: all but those that name places."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return {
            text
            for key, inner in value.items()
            if not any(word in str(key).lower() for word in _PLACES)
            for text in _texts(inner)
        }
    if isinstance(value, list | tuple):
        return {text for inner in value for text in _texts(inner)}
    return set()


_PLACES = ("endpoint", "region", "host", "project", "proto", "addressing", "signature_version")


def split_url(url: str, access: Access) -> tuple[str, Access]:
    """A URL that may be shown, and the access with the secrets that were in it."""
    scheme, rest = url.split("://", 1)
    if scheme in ("http", "https"):
        parts = urlsplit(url)
        userinfo, _, host = parts.netloc.rpartition("@")
        if not userinfo and not parts.query:
            return url, access
        plain = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
        return plain, access.with_url(userinfo, parts.query)
    userinfo = rest.partition("/")[0].rpartition("@")[0]
    if ":" in userinfo:
        return f"{scheme}://{rest[len(userinfo) + 1 :]}", access.with_url(userinfo)
    return url, access
