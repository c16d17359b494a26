"""Finding files in stores: as few listings as the store allows.

An object store has no folders, only names that begin alike, and lists a thousand of them with one
request. There the literal beginning of a pattern is listed flat and the pattern is matched here; a
wildcard in a folder name would else be one listing for each folder. Where there are folders (HDFS,
the pages of a web server) only those that match are visited.

A listing gives sizes and identities too, so no file is asked for by itself; pages of a web server
give names only, and there each file costs a request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from plait.errors import ReadError
from plait.io.files import FileInfo, has_magic, hidden_folder, in_parallel, visible
from plait.io.store.access import Access, split_url
from plait.io.store.driver import open_store
from plait.io.store.errors import NotThereError
from plait.io.store.get import identity_of
from plait.io.store.ranges import keep_end
from plait.io.write.journal import committed, journals

Entry = Mapping[str, Any]


def expand_url(
    url: str, access: Access, suffixes: Sequence[str], end: int = 0
) -> tuple[FileInfo, ...]:
    """The files meant by a URL: of a file, a folder, or a pattern.

    The last `end` bytes of the file, if it is one, are kept with its size.
    """
    plain, access = split_url(url, access)
    place = _Place(plain, access)
    if has_magic(plain):
        found = _matching(place)
        if not found:
            raise ReadError(f"No files match {plain!r}")
    else:
        if end and _named_as_file(place):
            file = place.ending(end)
            if file is not None:
                return (file,)
        found = _file_or_folder(place, suffixes)
    found = sorted(found, key=lambda e: str(e["name"]))
    # a web page of links says nothing of the files behind them
    unknown = [str(e["name"]) for e in found if e.get("size") is None]
    known = dict(zip(unknown, in_parallel(partial(place.call, "info"), unknown), strict=True))
    return tuple(place.info(known.get(str(e["name"]), e)) for e in found)


def exists_at(url: str, access: Access) -> str | None:
    """What there is at a URL: "file", "directory", or None."""
    plain, access = split_url(url, access)
    try:
        return str(_Place(plain, access).call("info")["type"])
    except NotThereError:
        return None


class _Place:
    """A URL in an opened store."""

    def __init__(self, url: str, access: Access) -> None:
        self.url, self.access = url, access
        self.store, self.inner = open_store(url, access)
        trimmed = url.rstrip("/")
        inner = self.inner.rstrip("/")
        if trimmed.endswith(inner):
            self._prefix = trimmed[: len(trimmed) - len(inner)]
        else:  # the URL names an account or a host that the store's own names leave out
            self._prefix = url.split("://", 1)[0] + "://"
            self.access = access.with_url(**self.store.fs._get_kwargs_from_urls(url))

    def call(self, method: str, path: str | None = None, **options: Any) -> Any:
        path = self.inner if path is None else path
        if method in ("ls", "find") and self.store.family == "http" and not path.endswith("/"):
            path += "/"  # links on a page are relative to it
        return self.store.call(method, path, self.url, self.access, **options)

    def info(self, entry: Entry) -> FileInfo:
        name = str(entry["name"])
        if "://" in name:
            path, access = split_url(name, self.access)
        else:
            path, access = self._prefix + name, self.access
        if entry.get("size") is None:
            return self._downloaded(name, path, access)
        identity = identity_of(entry)
        return FileInfo(path, int(entry["size"]), identity + access.mark, path, access)

    def ending(self, count: int) -> FileInfo | None:
        """The file at this place, with its last bytes kept; None if the store cannot tell."""
        answer = self.store.ending(self.inner, count, self.url, self.access)
        if answer is None:
            return None
        file = self.info({"name": self.inner, "size": answer.size, "etag": answer.identity})
        keep_end(file, answer.data)
        return file

    def _downloaded(self, name: str, path: str, access: Access) -> FileInfo:
        """A file whose server does not tell its length: there is no reading parts of it."""
        data = bytes(self.call("cat_file", name))
        identity = hashlib.sha256(data).hexdigest() + access.mark
        file = FileInfo(path, len(data), identity, path, access)
        keep_end(file, data)
        return file


def _named_as_file(place: _Place) -> bool:
    """Whether the name looks like that of a file, for what is asked first."""
    _host_or_bucket, _, below = place.url.partition("://")[2].rstrip("/").partition("/")
    last = below.rpartition("/")[2]
    return not place.url.endswith("/") and "." in last and "=" not in last


def _file_or_folder(place: _Place, suffixes: Sequence[str]) -> list[Entry]:
    """The entry of a file, or those of the files below a folder."""
    like_folder = not _named_as_file(place)
    found: list[Entry] = []
    try:
        if not (place.store.flat and like_folder):
            entry = place.call("info")
            # a web server has pages where others have folders
            page = like_folder and entry.get("mimetype") == "text/html"
            if entry["type"] == "file" and not page:
                return [entry]
        # of an object store this gives a file too, should the name be one
        found = _find(place, place.inner)
    except NotThereError:
        raise _nothing_there(place) from None
    if len(found) == 1 and str(found[0]["name"]).strip("/") == place.inner.strip("/"):
        return found
    if not found and place.store.flat:
        raise _nothing_there(place)
    found = _committed(place, found)
    found = [e for e in found if _visible_below(place.inner, str(e["name"]), suffixes)]
    if not found:
        wanted = f" {' or '.join(suffixes)}" if suffixes else ""
        raise ReadError(f"The folder {place.url!r} has no{wanted} files")
    return found


def _committed(place: _Place, found: list[Entry]) -> list[Entry]:
    """The entries without files of a write that is under way."""
    listing = {str(e["name"]): e for e in found}
    if not journals(listing):
        return found

    def listed() -> list[str]:
        return list(listing)

    def read(path: str) -> bytes:
        try:
            return bytes(place.call("cat_file", path))
        except NotThereError:
            listing.clear()
            listing.update((str(e["name"]), e) for e in _find(place, place.inner))
            raise FileNotFoundError(path) from None

    return [listing[name] for name in committed(listed, read)]


def _nothing_there(place: _Place) -> NotThereError:
    """The error for a URL at which there is nothing."""
    _check_bucket(place)
    return NotThereError(f"No such file: {place.url!r}")


def _check_bucket(place: _Place) -> None:
    bucket = place.inner.strip("/").split("/")[0]
    if not place.store.flat:
        return
    try:
        place.call("info", bucket)
    except NotThereError:
        raise NotThereError(f"No such file: {place.url!r}: there is no bucket {bucket!r}") from None
    except ReadError:
        return  # who may read an object need not be allowed to see its bucket


def _matching(place: _Place) -> list[Entry]:
    """The entries of files that match the place's pattern."""
    from fsspec.utils import glob_translate  # slow to import, and local files do without

    pattern = place.inner
    matches = re.compile(glob_translate(unquote(pattern))).match
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if has_magic(part))
    folder = "/".join(parts[:first])
    try:
        if not place.store.flat and "**" not in pattern:
            found = _walk(place, folder, parts[first:])
        elif place.store.flat:
            beginning = parts[first][: re.search(r"[*?\[]", parts[first]).start()]  # type: ignore[union-attr]
            if first + 1 == len(parts) and not beginning:
                found = place.call("ls", folder, detail=True)
            else:
                found = _find(place, folder, **({"prefix": beginning} if beginning else {}))
        else:
            found = _find(place, folder)
    except NotThereError:
        _check_bucket(place)
        return []
    return [e for e in found if e["type"] == "file" and matches(unquote(str(e["name"])))]


def _walk(place: _Place, folder: str, parts: Sequence[str]) -> list[Entry]:
    """The files that match a pattern, listing the folders that match its beginning."""
    from fsspec.utils import glob_translate  # slow to import, and local files do without

    matches = re.compile(glob_translate(unquote(parts[0]))).match
    entries: list[Entry] = place.call("ls", folder, detail=True)

    def last(e: Entry) -> str:
        return unquote(str(e["name"]).rstrip("/").rpartition("/")[2])

    wanted = "file" if len(parts) == 1 else "directory"
    found = [e for e in entries if e["type"] == wanted and matches(last(e))]
    if len(parts) == 1:
        return found
    below = in_parallel(lambda e: _walk(place, str(e["name"]).rstrip("/"), parts[1:]), found)
    return [e for entries in below for e in entries]


def _find(place: _Place, folder: str, **options: Any) -> list[Entry]:
    found = place.call("find", folder, detail=True, **options)
    return [e for e in found.values() if e.get("type") == "file"]


def _visible_below(folder: str, name: str, suffixes: Sequence[str]) -> bool:
    parts = name[len(folder) :].strip("/").split("/")
    return visible(parts[-1], suffixes) and not any(map(hidden_folder, parts[:-1]))
