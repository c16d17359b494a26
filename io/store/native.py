"""Ranges of S3 by obstore, where it is installed: each request for a third of the processor time.

s3fs makes a request in Python, some milliseconds of it; obstore makes it in Rust. It is used only
for what it is sure to do as s3fs does: with credentials that were given as keys (or none at all),
and for plain names. Whatever it fails at is asked of s3fs once more, so that errors are told as
without it, and after some requests that only s3fs could do it is left alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Mapping
from typing import Any

from plait import config
from plait.io.files import Range
from plait.io.store.get import GETS, Answer, Get, identity_of

_OPTIONS = {"key", "secret", "token", "anon", "endpoint_url"}
_OURS = {"max_pool_connections", "connect_timeout", "read_timeout", "retries"}
_PLAIN = re.compile(r"(?!.*(?:^|/)\.{0,2}(?:/|$))[A-Za-z0-9_\-.=/]+")
_FAILURES = 8

_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True  # the threads of its runtime are not in the child


os.register_at_fork(after_in_child=_after_fork)


def get_of(fs: Any, family: str) -> Get | None:
    """The request by obstore, if it may stand in for this file system."""
    if family != "s3" or _forked or config.get("requests.driver") == "fsspec":
        return None
    if importlib.util.find_spec("obstore") is None:
        return None
    options = obstore_options(fs.storage_options)
    return None if options is None else _ObstoreGet(options)


def obstore_options(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """obstore's names for s3fs's options; None if there are others than can be told exactly."""
    client = dict(given.get("client_kwargs") or {})
    flat = {k: v for k, v in given.items() if k in _OPTIONS and v is not None}
    flat.update((k, client.pop(k)) for k in ("endpoint_url",) if k in client)
    region = client.pop("region_name", None)
    others = set(given) - _OPTIONS - {"client_kwargs", "config_kwargs", "skip_instance_cache"}
    if client or others or set(given.get("config_kwargs") or {}) - _OURS:
        return None
    found: dict[str, Any] = {"region": region} if region else {}
    if flat.get("anon"):
        found["skip_signature"] = True
    elif flat.get("key") and flat.get("secret"):
        found["access_key_id"], found["secret_access_key"] = flat["key"], flat["secret"]
        if flat.get("token"):
            found["session_token"] = flat["token"]
    else:  # what s3fs finds around it, and refreshes
        return None
    if flat.get("endpoint_url"):
        found["endpoint"] = flat["endpoint_url"]
    return found


class _ObstoreGet:
    """Requests of one store; a bucket is opened with the first."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._buckets: dict[str, Any] = {}
        self._failures = 0

    async def __call__(self, fs: Any, path: str, bounds: Range) -> Answer:
        bucket, key, version = fs.split_path(path)
        if version or not _PLAIN.fullmatch(key) or self._failures >= _FAILURES or _forked:
            return await GETS["s3"](fs, path, bounds)
        try:
            return await self._get(fs, bucket, key, bounds)
        except Exception:  # Rust's errors: s3fs can tell what is wrong, if it is
            answer = await GETS["s3"](fs, path, bounds)
        self._failures += 1
        return answer

    async def _get(self, fs: Any, bucket: str, key: str, bounds: Range) -> Answer:
        store = self._buckets.get(bucket)
        if store is None:
            store = self._buckets[bucket] = await self._opened(fs, bucket)
        start, end = bounds
        wanted = {"suffix": -start} if start < 0 else (start, end)
        obstore = importlib.import_module("obstore")
        answer = await obstore.get_async(store, key, options={"range": wanted})
        data = memoryview(await answer.bytes_async())
        return Answer(data, identity_of({"etag": answer.meta["e_tag"]}), answer.meta["size"])

    async def _opened(self, fs: Any, bucket: str) -> Any:
        client = await fs.set_session()  # knows what the environment says of places
        options = {"region": client.meta.region_name or "us-east-1", **self._options}
        if not client.meta.endpoint_url.endswith(".amazonaws.com"):
            options["endpoint"] = client.meta.endpoint_url
        seconds = config.get("requests.timeout")
        return importlib.import_module("obstore.store").S3Store(
            bucket,
            client_options={
                "allow_http": True,
                "connect_timeout": f"{seconds}s",
                "timeout": "1h",  # each request has a bound of its own
            },
            retry_config={"max_retries": 0},
            **options,
        )
