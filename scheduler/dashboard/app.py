"""The dashboard's pages, on tornado; answers questions and takes nothing.

    /           the page; with ?token=... it sets the cookie that the rest asks for
    /static/    its scripts, styles and icon, which tell nothing of what runs
    /feed       ?since=N: the news after N as JSON
    /metrics    for Prometheus

The page asks for news a few times a second and stops when nobody looks at it; in between nothing
is measured or made, so a dashboard that is closed costs what telling the feed costs.

`serve` runs on the current event loop: a scheduler's own, or that of `background.py`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from plait.scheduler.dashboard.access import HEADERS, cookie_name, is_own_name, may_see
from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.place import Place
from plait.scheduler.dashboard.prometheus import CONTENT_TYPE, metrics_text

_log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_NO_TOKEN = "This page needs its token: open the URL that the dashboard was started with.\n"

Refresh = Callable[[], None]


class _Handler(RequestHandler):
    """Checks every request before it is answered."""

    def initialize(self, feed: Feed, place: Place, refresh: Refresh) -> None:
        self.feed, self.place, self.refresh = feed, place, refresh

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if not is_own_name(self.place, self.request.host):
            raise HTTPError(421, reason="Not a name of this dashboard")
        if not self._is_allowed():
            raise HTTPError(403)

    def _is_allowed(self) -> bool:
        given = self.get_query_argument("token", None)
        if given is None:
            given = self.get_cookie(cookie_name(self.place))
        if given is None:
            scheme, _, bearer = self.request.headers.get("Authorization", "").partition(" ")
            given = bearer.strip() if scheme.lower() == "bearer" else None
        return may_see(self.place, given)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(_NO_TOKEN if status_code == 403 else f"{HTTPStatus(status_code).phrase}\n")


class _Page(_Handler):
    def get(self) -> None:
        # Set here and not on a page that sends the browser on: the cookie would not come along
        # there if the URL was clicked on another site's page, such as a notebook.
        self.set_cookie(
            cookie_name(self.place),
            self.place.token,
            httponly=True,
            samesite="Strict",
            secure=self.place.tls is not None,
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(_files()["index.html"])


class _File(_Handler):
    def _is_allowed(self) -> bool:
        return True

    def get(self, name: str) -> None:
        suffix = Path(name).suffix
        if suffix not in _TYPES or name not in _files():
            raise HTTPError(404)
        self.set_header("Content-Type", f"{_TYPES[suffix]}; charset=utf-8")
        self.finish(_files()[name])


class _News(_Handler):
    def get(self) -> None:
        since = self.get_query_argument("since", "0")
        if not (since.isascii() and since.isdecimal() and len(since) < 16):
            raise HTTPError(400)
        self.refresh()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        news = self.feed.news(int(since), time.monotonic())
        self.finish(json.dumps(news, separators=(",", ":")))


class _Metrics(_Handler):
    def get(self) -> None:
        self.refresh()
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(metrics_text(self.feed))


class _Nothing(_Handler):
    def get(self) -> None:
        raise HTTPError(404)


@cache
def _files() -> dict[str, bytes]:
    """All there is to serve, by name: no path from a request is ever opened."""
    return {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.is_file()}


def application(feed: Feed, place: Place, refresh: Refresh) -> Application:
    """The pages. `refresh` is called before a feed is read, to bring it up to date."""
    given = {"feed": feed, "place": place, "refresh": refresh}
    return Application(
        [
            (r"/", _Page, given),
            (r"/static/([a-z.]+)", _File, given),
            (r"/feed", _News, given),
            (r"/metrics", _Metrics, given),
        ],
        default_handler_class=_Nothing,
        default_handler_args=given,
        log_function=_note_request,
    )


def serve(feed: Feed, place: Place, refresh: Refresh = lambda: None) -> HTTPServer:
    """Serve a feed at a place, on the current event loop; `stop()` what is given to end it."""
    server = HTTPServer(
        application(feed, place, refresh),
        ssl_options=place.tls,
        # There is nothing to send to us.
        max_body_size=0,
        max_header_size=16 * 1024,
        max_buffer_size=64 * 1024,
        idle_connection_timeout=60,
    )
    server.add_socket(place.socket)
    return server


def _note_request(handler: RequestHandler) -> None:
    # Without the query, which may hold the token; and never above debug: visitors are no event.
    request = handler.request
    _log.debug("%s %s %s", handler.get_status(), request.method, request.path)
