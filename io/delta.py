"""DeltaSource: a table of Delta Lake, one version of it. The log is deltalake's, the Parquet ours.

The package deltalake reads the log: which files belong to a version, the table's schema, and each
file's partition values. Files are then read as other Parquet is. Features of a table that would
make its files say something else than what they hold (rows deleted by vectors, columns under other
names) are refused by name.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from plait.errors import ReadError, UnsupportedError
from plait.io.encoding import logical_schema
from plait.io.file_columns import FileColumns
from plait.io.files import FileInfo, in_parallel, is_local, table_identity
from plait.io.filesystem import PathLike, plain_path
from plait.io.local_files import local_file
from plait.io.parquet.source import ParquetSource
from plait.io.splitting import SPLIT_BYTES, SPLIT_ROWS
from plait.io.store.access import Access, split_url

# features of the protocol that change nothing for a reader, or only the log
_HARMLESS = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "appendOnly", "invariants"}
_MAPPING, _VECTORS = "columnMapping", "deletionVectors"

# fsspec's names (of s3fs and adlfs) for what deltalake's own store wants to know
_KEYS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region_name": "AWS_REGION",
    "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
    "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
    "sas_token": "AZURE_STORAGE_SAS_KEY",
}


class DeltaSource(ParquetSource):
    """A version of a Delta table.

    path               its folder, or the URL of it
    version            None: the newest
    storage_options    as for other files, in fsspec's names
    """

    def __init__(
        self,
        path: PathLike,
        *,
        version: int | None = None,
        storage_options: Mapping[str, Any] | Access | None = None,
        split_bytes: int = SPLIT_BYTES,
        split_rows: int = SPLIT_ROWS,
    ) -> None:
        root, access = plain_path(path).rstrip("/"), Access.of(storage_options)
        if not is_local(root):
            root, access = split_url(root, access)
        elif not os.path.isdir(root):
            raise ReadError(f"No such folder: {root!r}")
        table = _opened(root, access, version)
        self._root, self._version = root, int(table.version())
        _check_features(root, table)
        actions = pa.table(table.get_add_actions(flatten=False))
        sizes = actions.column("size_bytes").to_pylist()
        paths = [_absolute(root, p) for p in actions.column("path").to_pylist()]
        files = in_parallel(lambda i: _file(paths[i], int(sizes[i]), access), range(len(paths)))
        declared = logical_schema(pa.schema(table.schema().to_arrow()), root)
        keys = list(table.metadata().partition_columns)
        rows = actions.column("partition").to_pylist() if keys else [{}] * len(files)
        told = FileColumns(
            tuple(declared[key] for key in keys),
            tuple(tuple((key, row[key]) for key in keys) for row in rows),
            frozenset(keys),
        )
        self._open(tuple(files), told, split_bytes, split_rows, declared=declared)

    @property
    def name(self) -> str:
        return self._root.rsplit("/", 1)[-1]

    @cached_property
    def identity(self) -> str:
        how = self._version, self.schema, self._told, self._split_bytes, self._split_rows
        return table_identity(f"delta:{self._root}", self.files, *how)


def _opened(root: str, access: Access, version: int | None) -> Any:
    try:
        deltalake = importlib.import_module("deltalake")
    except ImportError as error:
        raise ReadError(
            "read_delta needs the package deltalake: pip install 'plait[delta]'"
        ) from error
    options = None if is_local(root) else _of_deltalake(access.options_for(root))
    try:
        return deltalake.DeltaTable(root, version=version, storage_options=options)
    except (deltalake.exceptions.DeltaError, OSError, ValueError) as error:
        wanted = "" if version is None else f", version {version}"
        raise ReadError(f"{root}{wanted}: {access.hide(str(error), root)}") from None


def _of_deltalake(options: Mapping[str, Any]) -> dict[str, str]:
    """Storage options in fsspec's names as those of deltalake's store; others stay."""
    flat = {**options.get("client_kwargs", {}), **options}
    found = {_KEYS.get(k, k): v for k, v in flat.items() if isinstance(v, str)}
    if found.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        found["AWS_ALLOW_HTTP"] = "true"
    if options.get("anon"):
        found["AWS_SKIP_SIGNATURE"] = "true"
    return found


def _check_features(root: str, table: Any) -> None:
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        features.add(_MAPPING)
    elif _MAPPING in features:
        features.remove(_MAPPING)  # allowed, and not in use
    if _VECTORS in features and not _has_vectors(table):
        features.remove(_VECTORS)
    lacking = sorted(features - _HARMLESS)
    if lacking:
        remedy = {
            _VECTORS: "write its rows anew without them: REORG TABLE ... APPLY (PURGE) in Spark",
            _MAPPING: "write it anew with delta.columnMapping.mode = 'none'",
        }.get(lacking[0], "write it anew without")
        raise UnsupportedError(
            f"{root} uses the Delta table feature {', '.join(lacking)}, which plait cannot read; "
            f"{remedy}"
        )


def _has_vectors(table: Any) -> bool:
    try:
        return any(batch.num_rows for batch in table.deletion_vectors())
    except importlib.import_module("deltalake").exceptions.DeltaError:
        return True  # there are, and deltalake cannot read them


def _absolute(root: str, path: str) -> str:
    """Where a file of the log is; the log escapes names, and may name files elsewhere."""
    plain = unquote(path)
    if "://" in plain:
        return plain_path(plain)
    return plain if plain.startswith("/") else f"{root}/{plain}"


def _file(path: str, size: int, access: Access) -> FileInfo:
    if is_local(path):
        return local_file(path)
    # files of a Delta table never change, so there is nothing to ask its store
    return FileInfo(path, size, "", path, access)
