"""Stores for tests: each server is started once, on a free port, when a test first wants it."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import trustme

from tests.io.servers import stores
from tests.io.servers.proxy import Proxy, proxied
from tests.io.servers.stores import Bucket

ROOT = Path(__file__).resolve().parents[3]
Opened = Callable[[str], Bucket]


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A store by name; the same for the whole session."""
    known: dict[str, Bucket] = {}
    before = dict(os.environ)
    os.environ.update(stores.ENVIRONMENT)

    def server(name: str, folder: Path) -> AbstractContextManager[Bucket]:
        match name:
            case "moto":
                return stores.moto(folder)
            case "seaweed":
                return stores.seaweed(folder)
            case "gcs":
                return stores.gcs(folder)
            case "azurite":
                if shutil.which("npm") is None:
                    pytest.skip("azurite needs npm, which is not here")
                return stores.azurite(folder, stores.install_azurite(ROOT / "data" / "azurite"))
            case "https":
                authority = trustme.CA()
                authority.cert_pem.write_to_path(str(folder / "ca.pem"))
                issued = authority.issue_cert("127.0.0.1", "localhost")
                issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
                trusted = ssl.create_default_context(cafile=str(folder / "ca.pem"))
                return stores.web(folder, "https", folder / "server.pem", {"ssl": trusted})
        return stores.web(folder, name)

    with ExitStack() as running:

        def get(name: str) -> Bucket:
            if name not in known:
                folder = tmp_path_factory.mktemp(name)
                known[name] = running.enter_context(server(name, folder))
            return known[name]

        yield get
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def s3(opened: Opened) -> Bucket:
    """S3 by moto."""
    return opened("moto")


@pytest.fixture(scope="session")
def s3_proxy(s3: Bucket) -> Iterator[Proxy]:
    """A proxy before S3, for the whole session; `faulty` is the same, clean for each test."""
    with proxied(s3.port) as proxy:
        yield proxy


@pytest.fixture
def faulty(s3_proxy: Proxy) -> Iterator[Proxy]:
    """A proxy before S3, without faults or counts until the test sets some."""
    s3_proxy.set()
    yield s3_proxy
    s3_proxy.set()
