"""Web servers over a folder: files with an index page (http, https), or WebHDFS.

    python -m tests.io.servers.web KIND PORT FOLDER [CERTIFICATE]

WebHDFS answers as HDFS does: names and sizes from the name node, bytes from a data node to which
the client is redirected.
"""

from __future__ import annotations

import asyncio
import html
import ssl
import sys
from pathlib import Path
from urllib.parse import quote

from tornado.httputil import url_concat
from tornado.web import Application, RequestHandler, StaticFileHandler


class Files(StaticFileHandler):
    """Files with ranges and etags; a folder is a page of links."""

    async def get(self, path: str, include_body: bool = True) -> None:
        folder = Path(self.root) / path
        self.absolute_path = str(folder)
        if not folder.is_dir():
            await super().get(path, include_body)
            return
        names = sorted(p.name + ("/" if p.is_dir() else "") for p in folder.iterdir())
        links = "".join(f'<a href="{quote(n)}">{html.escape(n)}</a>\n' for n in names)
        self.set_header("Content-Type", "text/html")
        self.write("" if not include_body else f"<html><body>{links}</body></html>")

    def compute_etag(self) -> str | None:
        path = Path(self.absolute_path or "")
        if path.is_dir():
            return None
        status = path.stat()  # tornado would remember the first content for ever
        return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


class NameNode(RequestHandler):
    """WebHDFS: what fsspec asks for when it lists and reads."""

    def initialize(self, folder: str) -> None:
        self.folder = Path(folder)

    def get(self, path: str) -> None:
        found = self.folder / path
        if not found.exists():
            self.set_status(404)
            self.write({"RemoteException": {"exception": "FileNotFoundException", "message": path}})
            return
        match self.get_argument("op").upper():
            case "GETFILESTATUS":
                self.write({"FileStatus": self._status(found, "")})
            case "LISTSTATUS":
                if found.is_dir():
                    inner = [self._status(p, p.name) for p in sorted(found.iterdir())]
                else:
                    inner = [self._status(found, "")]
                self.write({"FileStatuses": {"FileStatus": inner}})
            case "OPEN":
                offset = int(self.get_argument("offset", "0"))
                length = int(self.get_argument("length", str(found.stat().st_size)))
                place = f"{self.request.protocol}://{self.request.host}/data/{quote(path)}"
                target = url_concat(place, {"offset": str(offset), "length": str(length)})
                if self.get_argument("noredirect", "false") == "true":
                    self.write({"Location": target})
                    return
                self.redirect(target, status=307)
            case other:
                self.set_status(400)
                self.write({"RemoteException": {"exception": "Unsupported", "message": other}})

    def _status(self, path: Path, name: str) -> dict[str, object]:
        status = path.stat()
        return {
            "pathSuffix": name,
            "type": "DIRECTORY" if path.is_dir() else "FILE",
            "length": 0 if path.is_dir() else status.st_size,
            "modificationTime": status.st_mtime_ns // 1_000_000,
        }


class DataNode(RequestHandler):
    """Bytes of a file."""

    def initialize(self, folder: str) -> None:
        self.folder = Path(folder)

    def get(self, path: str) -> None:
        start, length = int(self.get_argument("offset")), int(self.get_argument("length"))
        self.write((self.folder / path).read_bytes()[start : start + length])


async def _main(kind: str, port: int, folder: str, certificate: str | None) -> None:
    if kind == "webhdfs":
        routes = [
            (r"/webhdfs/v1/?(.*)", NameNode, {"folder": folder}),
            (r"/data/(.*)", DataNode, {"folder": folder}),
        ]
    else:
        routes = [(r"/(.*)", Files, {"path": folder})]
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    Application(routes).listen(port, "127.0.0.1", ssl_options=context)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3], (*sys.argv[4:], None)[0]))
