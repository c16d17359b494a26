"""What may be asked of a write, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plait.errors import PlanError, UnsupportedError, WriteError
from plait.io.compression import compression_of
from plait.io.filesystem import exists, is_folder
from plait.io.write.commit import committed_below, foreign
from plait.io.write.formats import SUFFIXES, check_format_options
from plait.io.write.output_files import absolute, output_at

Options = Mapping[str, Any] | Iterable[tuple[str, Any]]

MODES = ("error", "overwrite", "append")
# of every format; the others are the format's own
COMMON = (
    "mode",
    "single_file",
    "partition_on",
    "keep_partition_columns",
    "filename_pattern",
    "storage_options",
)
_ALIASES = {"gz": "gzip", "zst": "zstd", "lzma": "xz", "none": None, "uncompressed": None}


def check_target(path: str, kind: str, options: Options) -> dict[str, Any]:
    """The options as a dict, if they are known and the path may be written; raises if not."""
    given = dict(options)
    if kind not in SUFFIXES:
        raise UnsupportedError(f"Unknown format {kind!r}; known: {', '.join(SUFFIXES)}")
    target, single = absolute(path), bool(given.get("single_file", False))
    _settle_compression(given, kind, target if single else "")
    check_format_options(kind, {k: v for k, v in given.items() if k not in COMMON}, COMMON)
    mode = given.get("mode", "error")
    if mode not in MODES:
        raise PlanError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
    _check_layout(given, single, mode)
    _check_there(target, single, mode, given)
    return given


def _settle_compression(given: dict[str, Any], kind: str, file: str) -> None:
    """Give compression its name; 'infer', of text the default, goes by the suffix of `file`."""
    asked = given.get("compression", "infer" if kind != "parquet" else None)
    if isinstance(asked, str):
        asked = _ALIASES.get(asked.lower(), asked.lower())
    if asked == "infer" and kind != "parquet":
        asked = compression_of(file)
    if kind == "parquet":
        if "compression" in given and asked == "infer":
            del given["compression"]
        elif "compression" in given:
            given["compression"] = asked
    else:
        given["compression"] = asked


def _check_layout(given: Mapping[str, Any], single: bool, mode: str) -> None:
    if single and mode == "append":
        raise UnsupportedError(
            "A single file cannot be appended to; write a folder of parts (single_file=False, "
            "PER_THREAD_OUTPUT in COPY)"
        )
    if single and given.get("partition_on"):
        raise PlanError("partition_on makes a folder of folders: it cannot be a single file")
    if single and given.get("filename_pattern"):
        raise PlanError("filename_pattern names the files of a folder; a single file has its path")
    if given.get("keep_partition_columns") and not given.get("partition_on"):
        raise PlanError("keep_partition_columns needs partition_on")
    pattern = given.get("filename_pattern")
    if pattern is not None:
        bare = str(pattern).replace("{i}", "").replace("{uuid}", "")
        if not isinstance(pattern, str) or any(c in bare for c in "/\\{}"):
            raise PlanError(
                f"filename_pattern is a name without folders that may hold {{i}} and {{uuid}}, "
                f"not {pattern!r}"
            )
        if pattern.startswith((".", "_")):
            raise PlanError(f"Readers pass over files that begin with {pattern[0]!r}: {pattern!r}")


def _check_there(target: str, single: bool, mode: str, given: Mapping[str, Any]) -> None:
    """Raise if what is at the target may not be replaced or added to."""
    storage = given.get("storage_options")
    if not exists(target, storage):
        return
    folder = is_folder(target, storage)
    if folder and not single:
        out = output_at(target, storage)
        files = committed_below(out, target)
        if mode == "overwrite":
            others = foreign(target, files)
            if others:
                raise WriteError(_spared(target, others))
        if mode == "error" and files:
            raise WriteError(
                f"{target} exists already; pass mode='overwrite' to replace it or mode='append' "
                "to add to it (in COPY: OVERWRITE, APPEND)"
            )
        return
    if mode == "error":
        raise WriteError(
            f"{target} exists already; pass mode='overwrite' to replace it (in COPY: OVERWRITE)"
        )
    if folder == single:
        there = "a folder" if folder else "a file"
        raise WriteError(f"{target} is {there}; remove it first, or write to another path")


def _spared(target: str, others: Sequence[str]) -> str:
    return (
        f"{target} holds other things than data ({', '.join(others[:3])}), which overwriting "
        "would remove; remove them first, or write to another path"
    )
