"""joblib and scikit-learn on plait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import joblib
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

import plait


@pytest.fixture(autouse=True)
def _registered() -> None:
    plait.register_joblib()


@pytest.fixture(params=[1, 2])
def client(request: pytest.FixtureRequest) -> Iterator[plait.Client]:
    with plait.Client(max_workers=request.param) as client:
        yield client


def square(x: int) -> int:
    return x * x


def where(_: int) -> str:
    return threading.current_thread().name


def test_calls_run_on_plait() -> None:
    with plait.Client(max_workers=2) as client:
        with joblib.parallel_backend("plait", client=client):
            assert Parallel()(delayed(square)(i) for i in range(2000)) == [
                i * i for i in range(2000)
            ]
            names = set(Parallel()(delayed(where)(i) for i in range(20)))
        assert all(name.startswith("plait-") for name in names)
    with joblib.parallel_config("plait", n_jobs=2):
        assert Parallel()(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_errors(client: plait.Client) -> None:
    with joblib.parallel_backend("plait", client=client, n_jobs=2):
        with pytest.raises(ZeroDivisionError):
            Parallel()(delayed(divmod)(1, i - 50) for i in range(100))
        assert Parallel()(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_generators_and_batches(client: plait.Client) -> None:
    with joblib.parallel_backend("plait", client=client, n_jobs=2):
        results = Parallel(return_as="generator")(delayed(square)(i) for i in range(10))
        assert list(results) == [i * i for i in range(10)]
        results = Parallel(return_as="generator_unordered")(delayed(square)(i) for i in range(10))
        assert sorted(results) == [i * i for i in range(10)]
        assert Parallel(batch_size=7)(delayed(square)(i) for i in range(10)) == [
            i * i for i in range(10)
        ]


def nested(depth: int, n: int) -> Any:
    if not depth:
        return n
    return sum(Parallel(n_jobs=2)(delayed(nested)(depth - 1, n + i) for i in range(4)))


def test_nested_parallels_do_not_block_each_other(client: plait.Client) -> None:
    def by_hand(depth: int, n: int) -> int:
        return n if not depth else sum(by_hand(depth - 1, n + i) for i in range(4))

    with joblib.parallel_backend("plait", client=client, n_jobs=2):
        found = Parallel()(delayed(nested)(3, n) for n in range(5))
    assert found == [by_hand(3, n) for n in range(5)]


def test_nested_calls_run_on_the_same_threads() -> None:
    def inner() -> set[str]:
        return set(Parallel(n_jobs=2)(delayed(where)(i) for i in range(8)))

    with plait.Client(max_workers=2) as client:
        with joblib.parallel_backend("plait", client=client):
            names = set().union(*Parallel()(delayed(inner)() for _ in range(4)))
        assert all(name.startswith("plait-") for name in names)
        assert len(names) <= 2


def test_nested_errors(client: plait.Client) -> None:
    def inner(n: int) -> Any:
        return Parallel(n_jobs=2)(delayed(divmod)(n, i) for i in range(3))

    with (
        joblib.parallel_backend("plait", client=client, n_jobs=2),
        pytest.raises(ZeroDivisionError),
    ):
        Parallel()(delayed(inner)(n) for n in range(4))


def test_number_of_jobs(client: plait.Client) -> None:
    workers = client.executor.workers
    with joblib.parallel_backend("plait", client=client):
        assert joblib.effective_n_jobs() == workers
        assert joblib.effective_n_jobs(-1) == workers
        assert joblib.effective_n_jobs(5) == 5
        assert (
            Parallel(n_jobs=1)(delayed(where)(i) for i in range(2))
            == [threading.current_thread().name] * 2
        )
        with pytest.raises(ValueError, match="no meaning"):
            Parallel(n_jobs=0)(delayed(square)(i) for i in range(2))


def test_scikit_learn(client: plait.Client) -> None:
    x, y = make_classification(200, 8, random_state=0)

    def search() -> dict[str, Any]:
        forest = RandomForestClassifier(random_state=0, n_jobs=2)
        grid = GridSearchCV(forest, {"n_estimators": [3, 6], "max_depth": [2, 3]}, cv=3)
        return dict(grid.fit(x, y).cv_results_)

    alone = search()
    with joblib.parallel_backend("plait", client=client, n_jobs=2):
        ours = search()
    assert ours["mean_test_score"].tolist() == alone["mean_test_score"].tolist()
    assert ours["params"] == alone["params"]
