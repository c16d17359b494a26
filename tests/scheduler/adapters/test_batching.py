"""What goes together: judged by hand, and by running random graphs as a cluster would."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.adapters.batching import Batching, Draft
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup


def graph_of(*groups: TaskGroup) -> TaskGraph:
    graph = TaskGraph()
    for group in groups:
        graph.add_group(group)
    return graph


def finish(batching: Batching, draft: Draft | None, seconds: float) -> None:
    assert draft is not None
    for task in draft.tasks:
        batching.finish(task, seconds)


def test_a_task_of_an_unknown_group_goes_alone_then_many_together() -> None:
    graph = graph_of(TaskGroup("f", int))
    want = [Ref(graph.add_task(0, (i,))) for i in range(1000)]
    batching = Batching(graph, want)
    first = batching.take(2)
    assert first is not None
    assert first.tasks == (0,)
    finish(batching, first, 0.001)
    second = batching.take(2)
    assert second is not None
    # a second of work for two slots: an eighth of it, in each 1.02 ms
    assert 110 <= len(second.tasks) <= 130


def test_at_least_50_ms_if_there_is_so_much() -> None:
    graph = graph_of(TaskGroup("f", int))
    want = [Ref(graph.add_task(0, (i,))) for i in range(30)]
    batching = Batching(graph, want)
    finish(batching, batching.take(100), 0.01)
    draft = batching.take(100)
    assert draft is not None
    assert len(draft.tasks) == 5


def test_a_chain_is_fused_and_gives_its_end_only() -> None:
    graph = graph_of(TaskGroup("f", int))
    last = graph.add_task(0, (0,))
    for _ in range(9):
        last = graph.add_task(0, (Ref(last),))
    batching = Batching(graph, [Ref(last)])
    finish(batching, batching.take(1), 0.0)
    draft = batching.take(1)
    assert draft is not None
    assert draft.tasks == tuple(range(1, 10))
    assert draft.bundles == ((Ref(9),),)


def test_an_exchange_gives_a_bundle_for_each_reader() -> None:
    graph = graph_of(TaskGroup("split", divmod, outputs=3), TaskGroup("join", max))
    splits = [graph.add_task(0, (i, 3)) for i in range(4)]
    want = [Ref(graph.add_task(1, [Ref(s, part) for s in splits])) for part in range(3)]
    batching = Batching(graph, want)
    finish(batching, batching.take(8), 0.001)
    draft = batching.take(8)
    assert draft is not None
    # The first reader follows, and what is for it is used up in place.
    assert draft.tasks == (1, 2, 3, 4)
    parts = [tuple(Ref(split, part) for split in (1, 2, 3)) for part in (1, 2)]
    assert draft.bundles == (*parts, (Ref(4),))


def test_bundles_are_no_more_than_a_few_a_slot() -> None:
    graph = graph_of(TaskGroup("f", int))
    want = [Ref(graph.add_task(0, (i,))) for i in range(500)]
    batching = Batching(graph, want)
    finish(batching, batching.take(2), 0.0)
    draft = batching.take(2)
    assert draft is not None
    assert len(draft.tasks) == 499
    assert len(draft.bundles) == 4
    assert sorted(ref.task for bundle in draft.bundles for ref in bundle) == list(draft.tasks)


def test_only_tasks_with_the_same_resources_go_together() -> None:
    gpu = TaskGroup("gpu", int, resources=(("GPU", 1.0),))
    graph = graph_of(TaskGroup("f", int), gpu)
    want = []
    for i in range(20):
        made = graph.add_task(0, (i,))
        want.append(Ref(graph.add_task(1, (Ref(made),))))
    batching = Batching(graph, want)
    for _ in range(60):
        draft = batching.take(1)
        if draft is None:
            break
        assert {graph.group_of(task).resources for task in draft.tasks} == {draft.resources}
        finish(batching, draft, 0.0)
    assert batching.remaining == 0


def test_a_failed_job_takes_along_what_needs_it() -> None:
    graph = graph_of(TaskGroup("f", max))
    for args in ((0,), (1,), (Ref(0),), (Ref(2), Ref(1)), (Ref(1),)):
        graph.add_task(0, args)
    batching = Batching(graph, [Ref(3), Ref(4)])
    first = batching.take(1)
    assert first is not None
    assert first.tasks == (0,)
    failed, dropped = batching.fail(0)
    assert failed == [0, 2, 3]
    assert dropped == [0, 2]  # 1 is still needed by 4
    finish(batching, batching.take(1), 0.0)
    finish(batching, batching.take(1), 0.0)
    assert batching.remaining == 0


@given(st.integers(0, 10_000))
def test_every_task_runs_once_after_what_it_needs_and_finds_it(seed: int) -> None:
    """A cluster by chance: batches in any order, cut short, costs at random."""
    chance = random.Random(seed)
    graph = graph_of(
        *[TaskGroup(f"g{n}", max, outputs=n + 1, source=chance.random() < 0.5) for n in range(3)]
    )
    refs: list[Ref] = []
    for task in range(chance.randint(1, 40)):
        group = chance.randrange(3)
        graph.add_task(group, chance.sample(refs, min(len(refs), chance.randint(0, 4))))
        refs += [Ref(task, part) for part in range(group + 1)]
    want = chance.sample(refs, min(len(refs), 5))
    batching = Batching(graph, want)
    needed, slots = batching.remaining, chance.randint(1, 3)
    flying: list[Draft] = []
    there: set[int] = set()  # slots whose values are in the cluster
    done: list[int] = []
    while batching.remaining:
        draft = batching.take(slots) if len(flying) < 3 else None
        if draft is not None:
            assert not set(draft.tasks) & set(done)
            flying.append(draft)
            continue
        draft = flying.pop(chance.randrange(len(flying)))
        inside: set[int] = set()
        ran = draft.tasks[: chance.randint(1, len(draft.tasks))]
        for task in ran:
            assert set(graph.inputs[task]) <= there | inside
            outputs = graph.group_of(task).outputs
            first = graph.first_slot[task]
            inside |= set(range(first, first + outputs))
        given_out = {graph.slot(ref) for bundle in draft.bundles for ref in bundle}
        rest = draft.tasks[len(ran) :]
        there |= inside & (given_out | {s for task in rest for s in graph.inputs[task]})
        for task in ran:
            done.append(task)
            there -= set(batching.finish(task, chance.choice([0.0, 0.02, 1.0])))
        batching.give_back(rest)
    assert len(done) == len(set(done)) == needed
    assert there >= {graph.slot(ref) for ref in want}
    assert there - {graph.slot(ref) for ref in want} == set()
