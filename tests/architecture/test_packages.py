"""pyproject.toml names every folder with code: what it forgets is missing only in the wheel."""

from __future__ import annotations

from tests.architecture.source import ROOMS, ROOT, pyproject

SETUPTOOLS = pyproject()["tool"]["setuptools"]


def _folders() -> dict[str, str]:
    """Installed package name to folder, of every folder that holds Python files."""
    found = {}
    for room, package in ROOMS.items():
        for path in (ROOT / room).rglob("*.py"):
            inner = path.parent.relative_to(ROOT / room).parts
            found[".".join((package, *inner))] = "/".join((room, *inner))
    return found


def test_every_folder_is_a_listed_package() -> None:
    assert set(SETUPTOOLS["packages"]) == set(_folders())
    assert SETUPTOOLS["package-dir"] == _folders()


def test_every_folder_has_an_init() -> None:
    missing = [f for f in _folders().values() if not (ROOT / f / "__init__.py").exists()]
    assert not missing


def test_no_module_of_api_hides_a_room() -> None:
    names = {path.stem for path in (ROOT / "api").iterdir()}
    assert not names & set(ROOMS)


def test_typing_marker_is_packaged() -> None:
    assert (ROOT / "api" / "py.typed").exists()
    assert "py.typed" in SETUPTOOLS["package-data"]["plait"]
