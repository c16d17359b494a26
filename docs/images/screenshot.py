"""Makes docs/images/dashboard.png: the dashboard of a real query on a
cluster of two workers, in headless Chromium.

    python docs/images/screenshot.py [folder of TPC-H tables] [file.png] [width] [light|dark]

Needs `pip install playwright` and a Chromium (`apt-get install chromium`); no download by
playwright itself. Without a folder a table is made up.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import sync_playwright

import plait
from tests.scheduler.dashboard.browser import ARGUMENTS, find_chromium, wait_for

QUERY = """
    SELECT c_mktsegment AS segment, year(o_orderdate) AS year,
           count(DISTINCT o_custkey) AS customers,
           sum(l_extendedprice * (1 - l_discount)) AS revenue
    FROM lineitem
    JOIN orders ON o_orderkey = l_orderkey
    JOIN customer ON c_custkey = o_custkey
    WHERE l_shipdate > DATE '1993-01-01'
    GROUP BY ALL ORDER BY segment, year
"""
ORDERED = "SELECT * FROM lineitem WHERE l_quantity < 45 ORDER BY l_extendedprice DESC, l_orderkey"
TABLES = ("lineitem", "orders", "customer")


def made_up(folder: Path) -> Path:
    """Tables with the columns that the queries read."""
    random = np.random.default_rng(1)
    customers, orders, lines = 150_000, 1_500_000, 6_000_000
    day = np.datetime64("1992-01-01")
    tables = {
        "customer": {
            "c_custkey": np.arange(customers),
            "c_mktsegment": random.choice(["BUILDING", "MACHINERY", "FURNITURE"], customers),
        },
        "orders": {
            "o_orderkey": np.arange(orders),
            "o_custkey": random.integers(0, customers, orders),
            "o_orderdate": day + random.integers(0, 2400, orders),
        },
        "lineitem": {
            "l_orderkey": random.integers(0, orders, lines),
            "l_quantity": random.integers(1, 51, lines).astype(float),
            "l_extendedprice": random.integers(900, 100_000, lines).astype(float),
            "l_discount": random.integers(0, 11, lines) / 100,
            "l_shipdate": day + random.integers(0, 2500, lines),
        },
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet", row_group_size=400_000)
    return folder


def main(source: str = "", target: str = "", width: str = "1280", scheme: str = "light") -> None:
    """Run some queries and take the picture while the last one is on its way."""
    path = Path(target or Path(__file__).parent / "dashboard.png")
    with (
        tempfile.TemporaryDirectory() as made,
        plait.LocalCluster(2, threads=2, memory_limit="1GB", dashboard=True) as cluster,
        plait.connect(cluster, compile__tier="vectorised") as session,
        sync_playwright() as playwright,
    ):
        folder = Path(source) if source else made_up(Path(made))
        for name in TABLES:
            session.register(name, session.read_parquet(str(folder / f"{name}.parquet")))
        url = session.dashboard()
        chromium = find_chromium()
        if chromium is None:
            sys.exit("There is no Chromium here: apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        size = {"width": int(width), "height": 800}
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.goto(url)
        wait_for(page, "document.querySelector('#state').textContent === 'idle'")
        session.execute(QUERY)
        session.execute(f"SELECT count(*) FROM ({ORDERED})")
        failed = threading.Event()

        def run() -> None:
            try:
                session.execute(ORDERED)
            finally:
                failed.set()

        thread = threading.Thread(target=run)
        thread.start()
        wait_for(page, "document.querySelectorAll('.stage .lines em.known').length >= 2")
        failed.wait(float(sys.argv[5]) if len(sys.argv) > 5 else 1.0)
        page.wait_for_timeout(300)
        page.screenshot(path=str(path))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        thread.join()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:5])
