"""Storage options: found for a URL, carried as references, never shown."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import fsspec
import pandas as pd
import pytest

import plait
from plait.config import Config
from plait.errors import ConfigError, ReadError
from plait.io.filesystem import expand
from plait.io.parquet.source import ParquetSource
from plait.io.store.access import Access, carried, split_url
from plait.planner import builder

SECRET = "hunter2-hunter2"
OPTIONS = {"key": "me", "secret": SECRET, "client_kwargs": {"headers": {"token": SECRET}}}


def test_the_longest_prefix_wins_and_arguments_win_over_it() -> None:
    storage = {
        "s3://b/": {"key": "short", "anon": False},
        "s3://b/deep/": {"key": "long"},
        "gs://": {"token": "anon"},
    }
    with plait.config.set({"storage": storage}):
        assert Access().options_for("s3://b/x") == {"key": "short", "anon": False}
        assert Access().options_for("s3://b/deep/x") == {"key": "long"}
        assert Access().options_for("s3://c/x") == {}
        given = Access.of({"key": "mine"})
        assert given.options_for("s3://b/x") == {"key": "mine", "anon": False}
    own = Access.within(None, Config({"storage": {"s3://b/": {"key": "session"}}}))
    assert own.options_for("s3://b/x") == {"key": "session"}


def test_equal_options_are_equal_references() -> None:
    assert Access.of(OPTIONS) == Access.of(dict(OPTIONS))
    assert Access.of(OPTIONS) != Access.of({})
    assert Access.of(None) == Access.of({}) == Access()


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    fs = fsspec.filesystem("memory")
    with fs.open("/secrets/x.parquet", "wb") as file:
        pd.DataFrame({"a": [1, 2]}).to_parquet(file)
    options = {"skip_instance_cache": True, "note": SECRET}
    source = ParquetSource("memory://secrets/x.parquet", storage_options=options)
    frame = plait.read_parquet("memory://secrets/x.parquet", storage_options=options)
    (split,) = source.splits(["a"])
    writing = builder.write(
        frame._frame.rows_only, "memory://secrets/y", "parquet",
        (("storage_options", Access.of(options)),),
    )  # fmt: skip
    levels = ("logical", "optimized", "stages", "tasks")
    shown = [repr(source), repr(split), repr(source.files), repr(frame), repr(writing)]
    shown += [frame.explain(level) for level in levels]
    shown += [repr(writing.options), str(vars(source)), repr(plait.connect("inline"))]
    assert not [text for text in shown if SECRET in text]
    for thing in (split, source.files, writing.options, split.file.access):
        assert SECRET.encode() not in pickle.dumps(thing)
    fs.rm("/secrets", recursive=True)


def test_configuration_does_not_show_its_secrets() -> None:
    storage = {"s3://b/": {"secret": SECRET}}
    assert SECRET not in repr(Config({"storage": storage}))
    assert Config({"storage": storage}).get("storage") == storage
    with pytest.raises(ConfigError) as raised:
        Config({"storage": {"b": {"secret": SECRET}}})
    assert SECRET not in str(raised.value)


def test_files_of_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plait.yaml"
    path.write_text("storage:\n  s3://b/:\n    key: me\n    secret: x.y\nrequests: {parallel: 3}\n")
    monkeypatch.setenv("PLAIT_CONFIG", str(path))
    plait.config.refresh()
    assert plait.config.get("storage") == {"s3://b/": {"key": "me", "secret": "x.y"}}
    assert plait.config.get("requests.parallel") == 3
    path.write_text(f"storage:\n  s3://b/: {{secret: {SECRET}, : : }}\n")
    with pytest.raises(ConfigError) as raised:
        plait.config.refresh()
    assert SECRET not in str(raised.value)
    monkeypatch.delenv("PLAIT_CONFIG")
    monkeypatch.setenv("PLAIT_STORAGE", '{"gs://b/": {"token": "anon"}}')
    plait.config.refresh()
    assert plait.config.get("storage") == {"gs://b/": {"token": "anon"}}
    monkeypatch.delenv("PLAIT_STORAGE")
    plait.config.refresh()


def test_a_reference_means_nothing_elsewhere() -> None:
    data = pickle.dumps(Access.of(OPTIONS))
    code = (
        f"import pickle; a = pickle.loads({data!r})\n"
        "try: a.options_for('s3://b/x')\n"
        "except Exception as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "stay in the process they were given to" in done.stdout
    ambient = pickle.loads(pickle.dumps(Access.of(None)))
    assert ambient.options_for("s3://b/x") == {}


def test_tasks_bring_the_options_along() -> None:
    made = Access.of(OPTIONS)
    with carried():
        data = pickle.dumps([made, made])
    code = (
        f"import pickle, json; a, b = pickle.loads({data!r})\n"
        "print(json.dumps(a.options_for('s3://b/x')), a == b, SECRET in repr(a))"
    ).replace("SECRET", repr(SECRET))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == f"{json.dumps(OPTIONS)} True False".split()
    assert SECRET.encode() not in pickle.dumps(made)
    assert pickle.loads(data)[0] == made


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        (f"https://u:{SECRET}@h/x.csv", "https://h/x.csv"),
        (f"https://h/x.csv?X-Amz-Signature={SECRET}", "https://h/x.csv"),
        (f"webhdfs://u:{SECRET}@h:1/x.csv", "webhdfs://h:1/x.csv"),
        ("abfss://box@account.dfs.core.windows.net/x", None),
        ("s3://bucket/a@b:c", None),
    ],
)
def test_secrets_in_urls(url: str, plain: str | None) -> None:
    found, access = split_url(url, Access())
    assert found == (plain or url)
    assert access.whole(found) == url
    assert access.hide(f"failed: {url}") == f"failed: {url}".replace(f"u:{SECRET}", "***").replace(
        f"X-Amz-Signature={SECRET}", "***"
    )


def test_errors_do_not_show_signatures() -> None:
    with (
        plait.config.set({"requests.timeout": 0.5, "requests.attempts": 1}),
        pytest.raises(ReadError) as raised,
    ):
        expand(f"http://127.0.0.1:9/x.csv?sig={SECRET}")
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
