"""Settings: where a value comes from, in order; what is wrong is said by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plait import config
from plait.errors import ConfigError


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings of the machine, and none left behind."""
    for name in ("PLAIT_CONFIG", "PLAIT_THREADS", "PLAIT_PARTITION__BYTES", "PLAIT_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    config.refresh()
    yield
    monkeypatch.undo()
    config.refresh()


def test_defaults_are_typed_and_documented() -> None:
    for setting in config.SETTINGS.values():
        assert setting.doc
        value = config.get(setting.key)
        assert value == setting.default
        assert value is None or setting.parse(value) == value


def test_each_source_wins_over_those_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home" / "plait"
    home.mkdir(parents=True)
    (home / "a.yaml").write_text("threads: 2\npartition:\n  bytes: 1MiB\nprogress: off\n")
    (home / "b.yaml").write_text("threads: 3\n")
    config.refresh()
    assert config.get("threads") == 3
    assert config.get("partition.bytes") == 2**20
    assert config.get("progress") == "off"

    chosen = tmp_path / "chosen.yaml"
    chosen.write_text("threads: 4\n")
    monkeypatch.setenv("PLAIT_CONFIG", str(chosen))
    config.refresh()
    assert config.get("threads") == 4
    assert config.get("progress") == "auto"

    monkeypatch.setenv("PLAIT_THREADS", "5")
    monkeypatch.setenv("PLAIT_PARTITION__BYTES", "2MB")
    config.refresh()
    assert config.get("threads") == 5
    assert config.get("partition.bytes") == 2_000_000

    with config.set({"threads": 6}):
        assert config.get("threads") == 6
        with config.set(threads=7, partition__bytes=10):
            assert config.get("threads") == 7
            assert config.get("partition.bytes") == 10
            assert config.Config({"threads": 8}).get("threads") == 8
        assert config.get("threads") == 6
    assert config.get("threads") == 5


def test_set_without_with_stays() -> None:
    made = config.set({"partition": {"bytes": "1kB"}})
    assert config.get("partition.bytes") == 1000
    made.__exit__(None, None, None)
    assert config.get("partition.bytes") == config.SETTINGS["partition.bytes"].default


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("64MiB", 64 * 2**20), ("1.5 GB", 1_500_000_000), (7, 7), ("2tib", 2 * 2**40)],
)
def test_sizes(text: str | int, value: int) -> None:
    assert config.parse_bytes(text) == value


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"thread": 1}, "Did you mean 'threads'"),
        ({"threads": 0}, "at least 1"),
        ({"threads": "many"}, "whole number"),
        ({"partition.bytes": "big"}, "64MiB"),
        ({"progress": "maybe"}, "auto, on, off"),
        ({"executor": "cloud"}, "threads, inline"),
        ({"optimizer.disabled": 5}, "list of names"),
    ],
)
def test_mistakes(settings: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        config.set(settings)
    with pytest.raises(ConfigError, match=word):
        config.Config(settings)


def test_mistakes_in_files_and_environment_say_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    monkeypatch.setenv("PLAIT_CONFIG", str(path))
    with pytest.raises(ConfigError, match="does not exist"):
        config.refresh()
    path.write_text("thread: 1")
    with pytest.raises(ConfigError, match=r"c\.yaml.*'threads'"):
        config.refresh()
    path.write_text("just a text")
    with pytest.raises(ConfigError, match="threads: 4"):
        config.refresh()
    path.write_text("threads: [")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.refresh()
    path.write_text("")
    config.refresh()
    monkeypatch.setenv("PLAIT_THREADZ", "1")
    with pytest.raises(ConfigError, match="environment variable PLAIT_THREADZ"):
        config.refresh()


def test_asking_for_what_there_is_not() -> None:
    with pytest.raises(ConfigError, match="threads"):
        config.get("threds")


def test_variables_of_clusters_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_TOKEN", "secret")
    monkeypatch.setenv("PLAIT_LOG", "INFO")
    config.refresh()
    assert config.get("progress") in ("auto", "on", "off")
