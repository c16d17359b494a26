"""The pages as a browser, a stranger and Prometheus meet them: over HTTP, at a real socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from plait.errors import ConfigError
from plait.scheduler.dashboard.background import BackgroundDashboard
from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.place import Place
from plait.scheduler.dashboard.process import ProcessSampler
from plait.scheduler.events import GroupSummary


@pytest.fixture
def dashboard() -> Iterator[BackgroundDashboard]:
    feed = Feed("a test")
    feed.worker_joined(0, "here", 2, time.monotonic())
    feed.run_started("r", [GroupSummary("scan", "Stage 0", 3)], time.monotonic())
    sampler = ProcessSampler(feed, lambda: 30, lambda: 40)
    made = BackgroundDashboard(feed, Place(), sampler)
    yield made
    made.close()


def ask(
    dashboard: BackgroundDashboard, path: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, str]:
    place = dashboard.place
    connection = HTTPConnection(place.host, place.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def test_the_url_opens_the_page(dashboard: BackgroundDashboard) -> None:
    with urlopen(dashboard.url, timeout=60) as answer:
        assert answer.status == 200
        assert "<title>plait</title>" in answer.read().decode()


def test_the_cookie_of_the_page_opens_the_rest(dashboard: BackgroundDashboard) -> None:
    page, _ = ask(dashboard, f"/?token={dashboard.place.token}")
    cookie = page.headers["Set-Cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    name = cookie.split(";")[0]
    assert str(dashboard.place.port) in name.split("=")[0]
    news, text = ask(dashboard, "/feed?since=0", Cookie=name)
    assert news.status == 200
    told = json.loads(text)
    assert told["title"] == "a test"
    assert told["jobs"][0]["stages"] == [["scan", "Stage 0", 3]]
    again, _ = ask(dashboard, "/", Cookie=name)
    assert again.status == 200


@pytest.mark.parametrize("path", ["/", "/feed", "/feed?since=0", "/metrics", "/nothing"])
@pytest.mark.parametrize("how", ["none", "wrong", "empty", "wrong cookie", "wrong bearer"])
def test_without_the_token_there_is_nothing(
    dashboard: BackgroundDashboard, path: str, how: str
) -> None:
    headers: dict[str, str] = {}
    sign = "&" if "?" in path else "?"
    match how:
        case "wrong":
            path += f"{sign}token={dashboard.place.token}x"
        case "empty":
            path += f"{sign}token="
        case "wrong cookie":
            headers["Cookie"] = f"plait-dashboard-{dashboard.place.port}=wrong"
        case "wrong bearer":
            headers["Authorization"] = "Bearer \xe4"
    answer, text = ask(dashboard, path, **headers)
    assert answer.status == 403
    assert "token" in text
    assert "scan" not in text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "["])
def test_another_name_is_refused(dashboard: BackgroundDashboard, host: str) -> None:
    for path in (f"/?token={dashboard.place.token}", "/static/main.js"):
        answer, text = ask(dashboard, path, Host=host)
        assert answer.status in (400, 421)
        assert "html" not in text
        assert "import" not in text


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:1"])
def test_own_names_are_accepted(dashboard: BackgroundDashboard, host: str) -> None:
    answer, _ = ask(dashboard, f"/feed?token={dashboard.place.token}", Host=host)
    assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/feed", "/metrics", "/static/main.js", "/nothing"])
def test_every_answer_has_the_headers(dashboard: BackgroundDashboard, path: str) -> None:
    for query in ("", f"?token={dashboard.place.token}"):
        answer, _ = ask(dashboard, path + query)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_it_can_only_be_read(dashboard: BackgroundDashboard, method: str) -> None:
    for path in ("/", "/feed", "/metrics", "/static/main.js", "/nothing"):
        answer, _ = ask(dashboard, f"{path}?token={dashboard.place.token}", method)
        assert answer.status == 405, path


def test_nothing_can_be_sent(dashboard: BackgroundDashboard) -> None:
    place = dashboard.place
    with socket.create_connection((place.host, place.port), timeout=60) as link:
        head = f"GET /feed?token={place.token} HTTP/1.1\r\nHost: localhost\r\n"
        link.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
        assert b"200" not in link.recv(100)
    answer, _ = ask(dashboard, f"/feed?token={place.token}")
    assert answer.status == 200


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 20, "٣"])
def test_wrong_numbers_are_refused(dashboard: BackgroundDashboard, since: str) -> None:
    answer, _ = ask(dashboard, f"/feed?since={quote(since)}&token={dashboard.place.token}")
    assert answer.status == 400


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/static/..%2fapp.py", "/static/../app.py", "/static/index.html"]
)
def test_other_files_are_not_served(dashboard: BackgroundDashboard, path: str) -> None:
    answer, text = ask(dashboard, f"{path}?token={dashboard.place.token}")
    assert answer.status == 404
    assert "import" not in text


def test_files_have_their_types(dashboard: BackgroundDashboard) -> None:
    types = {"main.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
    for name, wanted in types.items():
        answer, text = ask(dashboard, f"/static/{name}")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(wanted)
        assert text


def test_metrics_for_prometheus(dashboard: BackgroundDashboard) -> None:
    time.sleep(0.25)  # a sampler takes no two samples at once
    answer, text = ask(dashboard, "/metrics", Authorization=f"Bearer {dashboard.place.token}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "plait_queries_running 1\n" in text
    assert 'plait_worker_held_bytes{worker="here",id="0"} 30\n' in text
    assert 'plait_worker_spilled_bytes{worker="here",id="0"} 40\n' in text


def test_samples_are_taken_when_somebody_asks(dashboard: BackgroundDashboard) -> None:
    time.sleep(0.25)
    assert dashboard.feed.news(0, 0.0)["samples"] == []
    _, text = ask(dashboard, f"/feed?token={dashboard.place.token}")
    ((worker, _, memory, held, spilled, cpu),) = json.loads(text)["samples"]
    assert (worker, held, spilled) == (0, 30, 40)
    assert memory > 1_000_000
    assert cpu >= 0


def test_a_closed_one_frees_its_port(dashboard: BackgroundDashboard) -> None:
    port = dashboard.place.port
    with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1"):
        Place(port=port)
    ask(dashboard, "/")
    dashboard.close()
    dashboard.close()
    Place(port=port).socket.close()


def test_one_may_be_closed_at_once() -> None:
    feed = Feed()
    place = Place()
    BackgroundDashboard(feed, place, ProcessSampler(feed, lambda: 0, lambda: 0)).close()
    Place(port=place.port).socket.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_other_machines_need_tls(host: str) -> None:
    with pytest.raises(ConfigError, match="TLS"):
        Place(host)


def test_tokens_differ_and_are_in_the_url() -> None:
    first, second = Place(), Place()
    assert first.token != second.token
    assert len(first.token) >= 32
    assert first.url == f"http://127.0.0.1:{first.port}/?token={first.token}"
    first.socket.close()
    second.socket.close()
