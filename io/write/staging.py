"""Where the files of a write lie until they are committed.

    with staged(path, kind, options) as options:
        ...                                 # tasks write parts into options["staging"], one commits

One hidden folder a write, beside the target, so that committing is a rename: `.out.6f2a.tmp` for
`out`. Whatever ends the write early, an error, Ctrl-C or a full disk, the folder goes and takes
with it what tasks have written, and the target is as it was. Tasks that cannot be stopped at once
do no harm: the folder is renamed before it is removed, and they make no folders, so that after that
moment they can open no new file. Only a killed process leaves its folder; readers skip it, and the
next write to the same target removes it.

To a folder that is there and keeps its files, parts are added from a folder inside of it: it may be
the one place that can be written, or another disk. So it is in stores, which have no folders to
rename.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from plait.errors import WriteError
from plait.io.files import is_local
from plait.io.write.appending import check_columns
from plait.io.write.commit import clear_leftovers
from plait.io.write.journal import new_mark, staging_name
from plait.io.write.options import Options, check_target
from plait.io.write.output_files import absolute, output_at
from plait.planner.schema import Schema


@contextmanager
def staged(
    path: str, kind: str, options: Options, schema: Schema | None = None
) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Check a write and prepare for its parts; afterwards, remove what is not committed.

    Parameters
    ----------
    path, kind, options
        See `plait.io.writer`.
    schema
        Of the rows, to be compared with that of files they are added to.

    Yields
    ------
    tuple
        The options for the parts and for committing: as given, and where parts are staged.

    Raises
    ------
    WriteError
        If the target is there and may not be replaced, or cannot be made.
    """
    target = absolute(path)
    given = dict(options)
    out = output_at(target, given.get("storage_options"))
    parent = os.path.dirname(target)
    beside = os.listdir(parent) if out.local and os.path.isdir(parent) else []
    if not given.get("single_file") or beside:
        clear_leftovers(out, target, beside)
    given = check_target(path, kind, given)
    if schema is not None and given.get("mode") == "append":
        check_columns(out, target, kind, given, schema)
    staging = _staging_folder(target, given)
    made = _make(staging, target) if out.local else []
    try:
        yield (*given.items(), ("staging", staging))
    finally:
        out.remove_folder(staging)
        for folder in made:
            # what was committed is in it: then it stays
            if os.path.isdir(folder) and not os.listdir(folder):
                with suppress(OSError):  # somebody else has written into it just now
                    os.rmdir(folder)


def _staging_folder(target: str, options: Mapping[str, Any]) -> str:
    mode = options.get("mode", "error")
    # others may append at the same time, and be the first
    kept = mode == "append" or (mode == "error" and os.path.isdir(target))
    if not options.get("single_file") and (kept or not is_local(target)):
        return f"{target}/{staging_name(new_mark())}"
    parent, name = target.rsplit("/", 1)
    return f"{parent}/{staging_name(new_mark(), name)}"


def _make(staging: str, target: str) -> list[str]:
    """Make the folder; gives those above it that were not there, the innermost first."""
    made = []
    parent = os.path.dirname(staging)
    while not os.path.exists(parent):
        made.append(parent)
        parent = os.path.dirname(parent)
    try:
        if made:
            os.makedirs(made[0], exist_ok=True)
        os.mkdir(staging)
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror} ({parent})") from error
    return made
