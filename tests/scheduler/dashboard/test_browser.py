"""The page in a real browser, while queries run.

Heavy: starting Chromium takes seconds. It needs the package `playwright` and a Chromium of the
system's (`apt-get install chromium`); without one the tests are skipped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from tests.scheduler.dashboard.browser import ARGUMENTS, find_chromium, wait_for

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.heavy

PATIENCE = 60_000  # milliseconds; busy machines are slow to start a browser

# The colours of bars: pixels of the stream that are neither background nor grey text.
COLOURED = """() => {
  const canvas = document.querySelector("#stream canvas");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const colours = [data[at], data[at + 1], data[at + 2]];
    if (data[at + 3] > 100 && Math.max(...colours) - Math.min(...colours) > 40) found += 1;
  }
  return found;
}"""


RED = COLOURED.replace(
    "Math.max(...colours) - Math.min(...colours) > 40",
    "colours[0] > 180 && colours[1] < 130 && colours[2] < 130",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = find_chromium()
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Visit:
    """A page, with all that it asked for and complained of."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        # Warnings may be about the tests' own reading of pixels.
        if message.type == "error":
            self.complaints.append(message.text)

    def wait(self, condition: str) -> None:
        wait_for(self.page, condition)

    def text(self, place: str) -> str:
        return str(self.page.text_content(place))


@pytest.fixture
def session() -> Iterator[plait.Session]:
    with plait.connect("threads", threads=2) as made:
        yield made


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    made = Visit(chromium, viewport={"width": 1280, "height": 800})
    yield made
    made.page.close()


def state_is(state: str) -> str:
    return f"document.querySelector('#state').textContent === '{state}'"


def test_bars_appear_while_a_query_runs(session: plait.Session, visit: Visit) -> None:
    go, ready = threading.Event(), threading.Event()

    @plait.delayed
    def load(number: int) -> int:
        if number == 3:  # the others are done by then, or run beside it
            ready.set()
            go.wait(120)
        return number

    @plait.delayed
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    url = session.dashboard()
    visit.page.goto(url)
    visit.wait(state_is("idle"))
    assert visit.page.evaluate(COLOURED) == 0

    answers: list[Any] = []
    graph = total([load(number) for number in range(4)])
    thread = threading.Thread(target=lambda: answers.extend(plait.compute(graph, session=session)))
    thread.start()
    assert ready.wait(60)
    visit.wait(state_is("running"))
    visit.wait(f"({COLOURED})() > 500")
    visit.wait("document.querySelector('.stage:nth-child(2) .figure').textContent === '3/4'")
    assert visit.text("#tile-query-more") == "Query 1 · running"
    go.set()
    thread.join()
    assert answers == [6]
    visit.wait(state_is("idle"))
    assert visit.text("#tile-tasks") == "5 / 5"
    assert visit.text("#job-state") == "Query 1 done"
    names = visit.page.eval_on_selector_all(".stage b", "found => found.map(b => b.textContent)")
    assert len(names) == 2
    quiet_and_at_home(visit, url)


def test_a_query_shows_its_plan_with_rows(session: plait.Session, visit: Visit) -> None:
    url = session.dashboard()
    visit.page.goto(url)
    visit.wait(state_is("idle"))
    # A text of the user's is a text on the page, whatever it looks like.
    query = (
        "select r % 3 as k, '<img src=x onerror=alert(1)>' as t, count(*) from range(1000) t(r) "
    )
    assert len(session.execute(query + "group by all order by k")) == 3
    visit.wait("document.querySelector('#job-state').textContent === 'Query 1 done'")
    assert visit.page.locator(".stage img").count() == 0
    figures = visit.page.eval_on_selector_all(
        ".lines em", "found => found.map(e => e.textContent).filter(text => text)"
    )
    assert "3 rows" in figures
    quiet_and_at_home(visit, url)


def test_transfers_between_the_workers_of_a_cluster_are_red(visit: Visit) -> None:
    with plait.LocalCluster(2, dashboard=True) as cluster, plait.connect(cluster) as session:
        visit.page.goto(cluster.dashboard_url)
        visit.wait(state_is("idle"))
        frame = pd.DataFrame({"k": np.arange(600_000) * 7919 % 400_000, "x": 1})
        session.register("t", plait.from_pandas(frame, npartitions=8))
        answer = session.execute("select k, sum(x) s from t group by k")
        assert answer.num_rows == 400_000
        visit.wait(f"({RED})() > 20")
        visit.wait(state_is("idle"))
        visit.wait("document.querySelectorAll('#workers > *').length >= 2")
        quiet_and_at_home(visit, cluster.dashboard_url)


def test_queries_can_be_chosen_and_windows_too(session: plait.Session, visit: Visit) -> None:
    url = session.dashboard()
    for _ in range(3):
        session.execute("select count(*) from range(10)")
    visit.page.goto(url)
    visit.wait("document.querySelectorAll('#jobs button').length === 3")
    assert visit.text("#jobs button[aria-pressed=true]") == "3"
    visit.page.click("#jobs button:first-child")
    visit.wait("document.querySelector('#job-state').textContent === 'Query 1 done'")
    for label in ("10 s", "5 min", "Query"):
        visit.page.click(f"#windows button:text-is('{label}')")
        assert visit.text("#windows button[aria-pressed=true]") == label
    visit.wait("document.querySelectorAll('.worker').length === 1")
    assert visit.page.eval_on_selector("#log-card", "card => card.hidden")
    quiet_and_at_home(visit, url)


def test_the_token_leaves_the_address_and_a_reload_works(
    session: plait.Session, visit: Visit
) -> None:
    url = session.dashboard()
    visit.page.goto(url)
    visit.wait(state_is("idle"))
    assert "token" not in visit.page.url
    visit.page.reload()
    visit.wait(state_is("idle"))
    quiet_and_at_home(visit, url)


def test_it_says_when_the_session_is_gone(visit: Visit) -> None:
    with plait.connect("threads") as session:
        visit.page.goto(session.dashboard())
        visit.wait(state_is("idle"))
    visit.wait(state_is("not connected"))


@pytest.mark.parametrize("width", [800, 1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(
    session: plait.Session, chromium: Any, width: int, scheme: str
) -> None:
    session.dashboard()
    session.execute("select r % 3 as k, count(*) from range(1000) t(r) group by k order by k")
    visit = Visit(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme)
    visit.page.goto(session.dashboard())
    visit.wait("document.querySelectorAll('.stage').length > 0")
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    assert visit.complaints == []
    visit.page.close()


def quiet_and_at_home(visit: Visit, url: str) -> None:
    """No error on the console, no request to anywhere else."""
    assert visit.complaints == []
    home = url.partition("/?")[0] + "/"
    assert {address for address in visit.requests if not address.startswith(home)} == set()
    assert any(address.startswith(f"{home}feed?since=") for address in visit.requests)
