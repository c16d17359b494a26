"""One request for a range, and what the answer tells: the identity, and how long the file is.

The answer to a request for bytes says of which version of the object they are (an etag, a
generation): so every part is checked without a further request. Drivers give the bytes only, so
their request is made here, one small function a store. Where there is no such function, or the
answer tells nothing, the store is asked after the file once more.

Most stores also serve the last bytes of a file whose length is not known: where a file is read from
its end, as Parquet is, that saves the request for its length.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from plait import config
from plait.io.files import Bytes, Range


class Answer(NamedTuple):
    """The bytes, the identity (empty if it was not told), the file's size (None likewise)."""

    data: Bytes
    identity: str
    size: int | None = None


# a range (-n, 0) is the last n bytes, or all if there are fewer
Get = Callable[[Any, str, Range], Awaitable[Answer]]

# what a listing may call the thing that changes with the content, the surest first
_KEYS = (
    "generation", "etag", "mtime", "modificationtime", "last-modified", "last_modified",
    "lastmodified", "updated", "created",
)  # fmt: skip


def identity_of(entry: Mapping[str, Any]) -> str:
    """The identity in what a store tells of a file: in a listing, or the headers of an answer."""
    lower = {str(key).lower(): value for key, value in entry.items()}
    for key in _KEYS:
        value = lower.get(key)
        if value is not None and value != "":
            text = str(value.timestamp() if isinstance(value, dt.datetime) else value)
            return text.removeprefix("W/").strip('"')
    return ""


def _header(bounds: Range) -> str:
    start, end = bounds
    return f"bytes={start}" if start < 0 else f"bytes={start}-{end - 1}"


def _size(content_range: Any) -> int | None:
    """The size of the file in `bytes 10-19/20`."""
    told = re.fullmatch(r"bytes [0-9]+-[0-9]+/([0-9]+)", str(content_range or "").strip())
    return int(told[1]) if told else None


async def _s3(fs: Any, path: str, bounds: Range) -> Answer:
    bucket, key, version = fs.split_path(path)
    wanted = {"Range": _header(bounds)}
    if version:
        wanted["VersionId"] = version
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, **wanted)
    body = answer["Body"]
    try:
        data = bytes(await body.read())
        return Answer(data, identity_of(answer), _size(answer.get("ContentRange")))
    finally:
        body.close()


async def _http(fs: Any, path: str, bounds: Range) -> Answer:
    import aiohttp  # the driver has it; plait itself does without

    seconds = config.get("requests.timeout")
    patience = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
    given = {"timeout": patience, **fs.kwargs}
    headers = {**(given.pop("headers", None) or {}), "Range": _header(bounds)}
    headers["Accept-Encoding"] = "identity"
    session = await fs.set_session()
    async with session.get(fs.encode_url(path), headers=headers, **given) as answer:
        if answer.status == 404:
            raise FileNotFoundError("404")
        answer.raise_for_status()
        if bounds[0] < 0 and answer.status != 206:  # all of it, however long
            return Answer(b"", "")
        size = _size(answer.headers.get("Content-Range"))
        return Answer(await answer.read(), identity_of(answer.headers), size)


async def _gs(fs: Any, path: str, bounds: Range) -> Answer:
    headers, found = await fs._call("GET", fs.url(path), headers={"Range": _header(bounds)})
    identity = str(headers.get("x-goog-generation", ""))
    return Answer(bytes(found), identity, _size(headers.get("Content-Range")))


async def _az(fs: Any, path: str, bounds: Range) -> Answer:
    container, blob, version = fs.split_path(path)
    async with fs.service_client.get_blob_client(container=container, blob=blob) as client:
        stream = await client.download_blob(
            offset=bounds[0], length=bounds[1] - bounds[0], version_id=version, max_concurrency=1
        )
        return Answer(bytes(await stream.readall()), identity_of({"etag": stream.properties.etag}))


GETS: Mapping[str, Get] = {"s3": _s3, "http": _http, "gs": _gs, "az": _az}
ENDS = {"s3", "http", "gs"}  # whose files can be read from the end


async def by_driver(fs: Any, path: str, bounds: Range) -> Answer:
    """The same for any asynchronous driver: the bytes, then what the file is by now."""
    # by keyword: the second position means other things in some drivers
    found = await fs._cat_file(path, start=bounds[0], end=bounds[1])
    fs.invalidate_cache()
    return Answer(bytes(found), identity_of(await fs._info(path)))


def by_blocking_driver(fs: Any, path: str, bounds: Range) -> Answer:
    """The same for a driver without coroutines."""
    found = fs.cat_file(path, start=bounds[0], end=bounds[1])
    fs.invalidate_cache()
    return Answer(bytes(found), identity_of(fs.info(path)))
