"""Settings, in the manner dask's users know.

A setting has its value from the first of these that names it:

    1. arguments                 plait.connect("threads", threads=2), Session(config={...})
    2. plait.config.set(...)     for the process, or for the length of a `with` block
    3. environment variables     PLAIT_THREADS=2, PLAIT_PARTITION__BYTES=64MiB
    4. YAML files                $PLAIT_CONFIG (a file or a folder), else
                                 ~/.config/plait/*.yaml, then /etc/plait/*.yaml
    5. the defaults              SETTINGS, below

In YAML and in keys a dot nests (`partition.bytes`); in environment variables two underscores do.
Files and environment are read when a setting is first asked for; `refresh()` reads them again.
Every key is known here: another one is an error that names the nearest, wherever it comes from.
Part of the ground floor: imports nothing of plait but its errors.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from plait.errors import ConfigError, nearest_names

_SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def parse_bytes(value: object) -> int:
    """A number of bytes, from an integer or a text like `64MiB`, `1.5 GB`.

    >>> parse_bytes("64MiB")
    67108864
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return int(value)
    match = re.fullmatch(r"\s*([0-9_]*\.?[0-9]+)\s*([a-zA-Z]*)\s*", str(value))
    if match is None or match[2].lower() not in _SIZES:
        raise ValueError("a size in bytes is a number, or a text like 64MiB or 1.5GB")
    return int(float(match[1]) * _SIZES[match[2].lower()])


def _optional(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    def parsed(value: object) -> Any:
        return None if value is None or str(value).lower() in ("none", "null", "") else parse(value)

    return parsed


def _positive(value: object) -> int:
    number = int(str(value))
    if isinstance(value, bool) or number < 1:
        raise ValueError("it is a whole number, at least 1")
    return number


def _count(value: object) -> int:
    number = int(str(value))
    if isinstance(value, bool) or number < 0:
        raise ValueError("it is a whole number, 0 for none")
    return number


def _memory(value: object) -> int | str | None:
    if str(value).lower() == "auto":
        return "auto"
    return _optional(parse_bytes)(value)  # type: ignore[no-any-return]


def _cache(value: object) -> int | str:
    text = {"none": "0", "off": "0", "false": "0"}.get(str(value).lower(), value)
    return "auto" if str(text).lower() == "auto" else parse_bytes(text)


def _seconds(value: object) -> float:
    number = float(str(value))
    if isinstance(value, bool) or not 0 < number < 1e6:
        raise ValueError("it is a number of seconds above 0")
    return number


def _flag(value: object) -> bool:
    words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError("it is true or false")
    return words[str(value).lower()]


def _one_of(*words: str) -> Callable[[object], str]:
    def parsed(value: object) -> str:
        # YAML reads a bare `on` and `off` as booleans
        text = {"true": "on", "false": "off"}.get(str(value).lower(), str(value).lower())
        if text not in words:
            raise ValueError(f"it is one of {', '.join(words)}")
        return text

    return parsed


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part for part in re.split(r"[,\s]+", value) if part]
    if not isinstance(value, list | tuple | frozenset):
        raise ValueError("it is a list of names, or a text with commas between them")
    return tuple(str(part) for part in value)


def _prefixes(value: object) -> dict[str, dict[str, Any]]:
    if isinstance(value, str):
        import yaml  # only environment variables come as text; JSON is YAML too

        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            value = None  # the parser's message would repeat the text
    fits = isinstance(value, Mapping) and all(
        "://" in str(prefix) and isinstance(options, Mapping) for prefix, options in value.items()
    )
    if not fits:
        raise ValueError("it maps the beginnings of URLs to options: {'s3://bucket/': {...}}")
    assert isinstance(value, Mapping)
    return {str(prefix): dict(options) for prefix, options in value.items()}


@dataclass(frozen=True)
class Setting:
    """One known setting: its key, its value unless set, how a value is read, and what it does.

    The value of a `secret` one is never shown.
    """

    key: str
    default: Any
    parse: Callable[[object], Any]
    doc: str
    secret: bool = False


SETTINGS: Mapping[str, Setting] = {
    s.key: s
    for s in (
        Setting("threads", None, _optional(_positive), "worker threads; none: one a processor"),
        Setting(
            "memory_limit",
            "auto",
            _memory,
            "bytes that queries may use, beyond which they use the disk; auto: 70 % of what the "
            "machine or its container has, none: no limit",
        ),
        Setting(
            "spill_directory",
            None,
            _optional(str),
            "where rows that do not fit into memory go; none: the temporary folder of the system",
        ),
        Setting(
            "column_cache.bytes",
            "auto",
            _cache,
            "decoded columns of Parquet files kept for later queries, within memory_limit; auto: "
            "a quarter of it, 0 or off: none",
        ),
        Setting(
            "partition.bytes", 32 * 2**20, parse_bytes, "decoded bytes a piece of a file aims at"
        ),
        Setting("csv.blocksize", 32 * 2**20, parse_bytes, "bytes of a text file read by one task"),
        Setting(
            "broadcast.limit",
            512 * 2**20,
            parse_bytes,
            "a join's side of at most so many bytes is copied to every task",
        ),
        Setting(
            "compile.tier",
            "auto",
            _one_of("auto", "compiled", "vectorised"),
            "what runs filters, projections, probes and groups: auto (loops compiled to machine "
            "code where there are rows enough), compiled (wherever there is a compiled form), "
            "vectorised (never)",
        ),
        Setting(
            "compile.cache",
            "auto",
            _optional(str),
            "folder for machine code; auto: ~/.cache/plait/code, none: it is not kept",
        ),
        Setting(
            "compile.optimize",
            "later",
            _one_of("later", "first", "never"),
            "when LLVM makes the best machine code: later (of what is used much, while nobody "
            "waits for it), first (before anything runs), never",
        ),
        Setting("compile.checked", False, _flag, "loops check every address, to find errors"),
        Setting(
            "plan_cache.plans",
            128,
            _count,
            "plans that are kept for the next equal query, and as many SQL texts; 0: none",
        ),
        Setting("optimizer.disabled", (), _names, "names of optimizer rules that are left out"),
        Setting(
            "progress",
            "auto",
            _one_of("auto", "on", "off"),
            "a progress bar for what takes over a second; auto: on terminals and in notebooks",
        ),
        Setting(
            "executor",
            "threads",
            _one_of("threads", "inline"),
            "what runs tasks: threads, or inline (one by one in this thread, for debugging)",
        ),
        Setting(
            "storage",
            {},
            _prefixes,
            "storage options by the beginning of a URL, the longest that fits wins",
            secret=True,
        ),
        Setting(
            "requests.driver",
            "auto",
            _one_of("auto", "fsspec"),
            "what asks for ranges of S3; auto: obstore where it is installed and can, else fsspec",
        ),
        Setting("requests.parallel", 16, _positive, "requests to one store at the same time"),
        Setting("requests.attempts", 4, _positive, "how often a request to a store is tried"),
        Setting("requests.timeout", 15.0, _seconds, "seconds without a byte before another try"),
    )
}

_lock = threading.RLock()
_layers: list[tuple[int, Mapping[str, Any]]] = []  # by config.set, the last one wins
_numbers = iter(range(1, 2**62))
_environment: dict[str, Any] | None = None
_files: dict[str, Any] | None = None


def _parse(key: str, value: object, where: str) -> Any:
    if key not in SETTINGS:
        near = nearest_names(key, SETTINGS)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ConfigError(
            f"There is no setting {key!r} ({where}).{hint} There are {', '.join(sorted(SETTINGS))}"
        )
    try:
        return SETTINGS[key].parse(value)
    except (ValueError, TypeError) as error:
        text = str(error)
        if text.startswith("invalid literal"):
            text = "it is a whole number"
        shown = "This" if SETTINGS[key].secret else repr(value)
        raise ConfigError(f"{shown} cannot be the value of {key!r} ({where}): {text}") from None


def _flatten(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        key = f"{prefix}{name}".replace("-", "_")
        if isinstance(value, Mapping) and key not in SETTINGS:
            yield from _flatten(value, f"{key}.")
        else:
            yield key, value


def _config_files(environ: Mapping[str, str]) -> list[Path]:
    """Every file that counts, the weakest first."""
    chosen = environ.get("PLAIT_CONFIG")
    if chosen:
        path = Path(chosen).expanduser()
        if not path.exists():
            raise ConfigError(f"PLAIT_CONFIG names {chosen!r}, which does not exist")
        return sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = (Path("/etc/plait"), home / "plait")
    return [f for folder in folders if folder.is_dir() for f in sorted(folder.glob("*.y*ml"))]


def _read_files(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in _config_files(environ):
        import yaml  # most processes have no file to read

        try:
            tree = yaml.safe_load(path.read_text())
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        except yaml.YAMLError as error:
            # without the lines that the parser's message shows: they may hold a secret
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            what = getattr(error, "problem", None) or "not YAML"
            raise ConfigError(f"{path} cannot be read: line {line}: {what}") from None
        if tree is None:
            continue
        if not isinstance(tree, dict):
            raise ConfigError(f"{path} holds no settings: it needs lines like `threads: 4`")
        found.update((k, _parse(k, v, str(path))) for k, v in _flatten(tree))
    return found


# where settings are, the token of a cluster, what its processes write to their logs
_NO_SETTINGS = frozenset({"PLAIT_CONFIG", "PLAIT_TOKEN", "PLAIT_LOG"})


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, value in environ.items():
        if name.startswith("PLAIT_") and name not in _NO_SETTINGS:
            key = name.removeprefix("PLAIT_").lower().replace("__", ".")
            found[key] = _parse(key, value, f"environment variable {name}")
    return found


def refresh(environ: Mapping[str, str] | None = None) -> None:
    """Read files and environment variables again."""
    global _environment, _files
    with _lock:
        environ = os.environ if environ is None else environ
        _environment, _files = _read_environment(environ), _read_files(environ)


def get(key: str) -> Any:
    """The value of a setting, of the type its table entry says.

    >>> get("progress") in ("auto", "on", "off")
    True
    """
    with _lock:
        if key not in SETTINGS:
            _parse(key, None, "asked for")
        for _, layer in reversed(_layers):
            if key in layer:
                return layer[key]
        if _environment is None or _files is None:
            refresh()
        assert _environment is not None
        assert _files is not None
        for found in (_environment, _files):
            if key in found:
                return found[key]
        return SETTINGS[key].default


def checked(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings flattened to dotted keys, with parsed values; ConfigError for a wrong one."""
    return {k: _parse(k, v, where) for k, v in _flatten(settings)}


class set:  # noqa: A001, N801  (the name dask's users know)
    """Set settings for this process, or within a `with` block.

    Parameters
    ----------
    settings : mapping, optional
        Values by key; nested mappings are joined with dots.
    **more
        The same as keywords, two underscores for a dot: `partition__bytes="64MiB"`.

    >>> with set({"threads": 2}):
    ...     get("threads")
    2
    """

    def __init__(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        named = {k.replace("__", "."): v for k, v in more.items()}
        values = checked({**(settings or {}), **named}, "plait.config.set")
        self._number = next(_numbers)
        with _lock:
            _layers.append((self._number, values))

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _lock:
            _layers[:] = [(n, layer) for n, layer in _layers if n != self._number]


class Config:
    """The settings of one session: its arguments first, then those of the process."""

    def __init__(self, arguments: Mapping[str, Any] | None = None) -> None:
        self._arguments = checked(arguments or {}, "argument")

    def get(self, key: str) -> Any:
        """The value of a setting."""
        return self._arguments[key] if key in self._arguments else get(key)

    def __repr__(self) -> str:
        shown = (f"{k}={'...' if s.secret else repr(self.get(k))}" for k, s in SETTINGS.items())
        return f"Config({', '.join(shown)})"
