"""Faults put into the cluster's machines on purpose: the tests must find each of them.

    python -m tests.scheduler.state.mutants [NAME ...]      (or: make mutants)

A mutant is a text of one file and what stands there instead. Each runs in a process of its own,
which loads the changed module before anything else does, then the fast tests of this folder, then
simulated clusters until one fails. One that survives them all is printed, and is a test to write.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
PACKAGE = "plait.scheduler.state"
MACHINES = ROOT / "scheduler" / "state"
STORIES = 400
SECONDS = 140.0  # after which a mutant is taken to hang
SEARCH = 30.0  # seconds, from the start; tests and at least one story are always run


@dataclass(frozen=True)
class Mutant:
    name: str
    module: str
    text: str
    instead: str


MUTANTS = [
    Mutant(
        "done of another attempt counts",
        "scheduler_state",
        " or attempts[row] != attempt or where[row]",
        " or where[row]",
    ),
    Mutant(
        "done of whoever counts",
        "scheduler_state",
        " or attempts[row] != attempt or where[row] != number:",
        ":",
    ),
    Mutant(
        "a task is given back in whatever attempt",
        "scheduler_state",
        "            and table.attempt[row] == attempt\n            and table.where",
        "            and table.where",
    ),
    Mutant(
        "done said twice drops the result",
        "scheduler_state",
        "                return  # it said so twice\n",
        "                pass\n",
    ),
    Mutant(
        "stale results are left where they are",
        "scheduler_state",
        "        self.out.discard(worker, task, attempt)\n\n    def _failed",
        "\n    def _failed",
    ),
    Mutant(
        "one retry too many",
        "scheduler_state",
        "failures <= group.retries",
        "failures <= group.retries + 1",
    ),
    Mutant(
        "missing keys are believed to be lost whoever has them",
        "scheduler_state",
        "            if slot >= 0 and table.owner[slot] == owner:\n                lost.append",
        "            if slot >= 0 and table.owner[slot] >= 0:\n                lost.append",
    ),
    Mutant(
        "missing keys are not lost",
        "scheduler_state",
        "        self.moves.lose(lost, drop=True)\n        for task, attempt",
        "        for task, attempt",
    ),
    Mutant(
        "the clock is believed",
        "scheduler_state",
        "min(max(0.0, now - self._outside), _LARGEST_STEP)",
        "now - self._outside",
    ),
    Mutant(
        "what was chained stays when its input is taken back",
        "transitions",
        "                        stack.append((reader, True))",
        "                        pass",
    ),
    Mutant(
        "a lost input is not counted",
        "transitions",
        "                    table.missing[reader] += 1\n            if table.wanted",
        "                    pass\n            if table.wanted",
    ),
    Mutant(
        "ready tasks stay ready when an input is lost",
        "transitions",
        "                if state[reader] == READY:\n                    self.placement",
        "                if False:\n                    self.placement",
    ),
    Mutant(
        "lost results are not computed again",
        "transitions",
        "                if table.needed(row):\n                    again.append(row)\n",
        "                if table.needed(row):\n                    pass\n",
    ),
    Mutant(
        "clients are not told of lost results",
        "transitions",
        "                self.out.lost(table.group[row].run.client, table.key(slot))",
        "                pass",
    ),
    Mutant(
        "a second copy of a part is kept",
        "transitions",
        "                if owner[slot] != number:\n",
        "                if False:\n",
    ),
    Mutant(
        "parts that nobody needs are kept at the worker",
        "transitions",
        "            else:\n"
        "                self.out.drop(worker, table.key(slot), table.attempt[row])\n"
        "            slot += 1",
        "            slot += 1",
    ),
    Mutant(
        "a cancelled task keeps its inputs",
        "transitions",
        "                return table.inputs[row]\n",
        "                return ()\n",
    ),
    Mutant(
        "unneeded tasks go on running",
        "transitions",
        "            self.out.discard(worker, self.table.task[row], self.table.attempt[row])",
        "            pass",
    ),
    Mutant(
        "a failed run does not take others with it",
        "transitions",
        "                self._inherit(reader, row)",
        "                pass",
    ),
    Mutant(
        "drops name the running attempt",
        "records",
        "        return attempt - 1 if self.state[row] == SENT else attempt",
        "        return attempt + 1",
    ),
    Mutant(
        "lineage is forgotten",
        "records",
        "            if run.loading or wanted[first] or consumers[first] is not None:\n",
        "            if run.loading or wanted[first]:\n",
    ),
    Mutant(
        "what may be forgotten is not said",
        "scheduler_state",
        "        self.out.let_go()\n",
        "",
    ),
    Mutant(
        "attempts are not counted",
        "placement",
        "        table.attempt[row] += 1",
        "        table.attempt[row] = 0",
    ),
    Mutant(
        "chained whatever became of the inputs",
        "placement",
        "                and table.coming[row] == table.missing[row]\n",
        "",
    ),
    Mutant(
        "sources are not bounded",
        "sources",
        "        return len(run.unconsumed) < max(window - 1, 0) + _AHEAD * self.threads",
        "        return True",
    ),
    Mutant(
        "a bound of sources may stop a run",
        "sources",
        "        if not run.sent:\n            return True\n",
        "",
    ),
    Mutant(
        "homes are dealt anew each time",
        "sources",
        "            if share.get(home, 0):",
        "            if False:",
    ),
    Mutant(
        "what is at home elsewhere is taken at any price",
        "sources",
        "        return waiting > transfer(self.table, row, thief) + lost",
        "        return True",
    ),
    Mutant(
        "what is at home elsewhere is never taken",
        "sources",
        "        return waiting > transfer(self.table, row, thief) + lost",
        "        return False",
    ),
    Mutant(
        "what is stolen is taken to be at home",
        "placement",
        "            self.stolen.add(row)\n",
        "",
    ),
    Mutant(
        "copies that nobody needs are left to themselves",
        "transitions",
        "        for number in table.copied.pop(slot):",
        "        for number in set[int]():",
    ),
    Mutant(
        "resources are not given back",
        "placement",
        "                worker.free[name] += amount",
        "                pass",
    ),
    Mutant(
        "the same client always comes first",
        "placement",
        "        run.client.clock += estimate",
        "        pass",
    ),
    Mutant(
        "everybody who ran nothing is blamed",
        "membership",
        "        return [row for row in rows if row in worker.sent]",
        "        return list(worker.sent)",
    ),
    Mutant(
        "nobody is blamed",
        "membership",
        "            self._blame(row, worker, event.reason)",
        "            pass",
    ),
    Mutant(
        "queues of lost workers are lost",
        "membership",
        "        self.placement.abandon(worker)\n",
        "",
    ),
    Mutant(
        "digests are not looked at",
        "membership",
        "        if not same:\n            self.audit(worker)",
        "",
    ),
    Mutant(
        "copies that nobody asked for stay",
        "membership",
        "                self.out.drop(target, key, attempt)\n",
        "                pass\n",
    ),
    Mutant(
        "tasks may be sent during an audit",
        "records",
        "self.suspect or self.retiring or self.auditing or self.stopped",
        "self.suspect or self.retiring or self.stopped",
    ),
    Mutant(
        "pieces of a graph forget what is to be used later",
        "transitions",
        "        if run.loading:\n            run.idle.append(slot)\n            return ()\n",
        "",
    ),
    Mutant(
        "a worker deletes what its tasks still use",
        "shelf",
        "        if key in self.users:\n"
        "            self.copies.add(key)\n"
        "            return False\n",
        "",
    ),
    Mutant(
        "a worker drops results of newer attempts",
        "worker_state",
        "if (held.get(key, attempt + 1) <= attempt and unhold(key)) or",
        "if (key in held and unhold(key)) or",
    ),
    Mutant(
        "a worker discards results of other attempts",
        "shelf",
        "if self.held.get(key) == attempt and self.unhold(key)]",
        "if key in self.held and self.unhold(key)]",
    ),
    Mutant(
        "a worker reports what was discarded",
        "worker_state",
        "        if item is None or item.attempt != attempt or not item.running:\n"
        "            self._delete(",
        "        if item is None:\n            self._delete(",
    ),
    Mutant(
        "a worker does not notice that an input is missing",
        "worker_state",
        "                    lacking.append((item, key))",
        "                    pass",
    ),
    Mutant(
        "a worker forgets those who wait for a key",
        "worker_state",
        "            if item.running:\n                continue",
        "            if item.running or item.missing == 1:\n                continue",
    ),
    Mutant(
        "a worker does not say what it could not fetch",
        "worker_state",
        "            self._missing(lost, number, [self.tasks[task] for task in tasks])",
        "            pass",
    ),
    Mutant(
        "a worker keeps fetched keys for ever",
        "worker_state",
        "        self._delete(self.shelf.evict(self._now - _COPY_SECONDS))\n",
        "",
    ),
    Mutant(
        "a worker holds results back",
        "worker_state",
        "            not self.running\n            or len(self._done)",
        "            len(self._done)",
    ),
]


# No fault at all: must not be found.
CONTROL = Mutant("no fault", "shelf", "class Shelf:", "class Shelf:")


def occurrences(mutant: Mutant) -> int:
    """How often the mutant's text stands in its module; anything but once is a mistake here."""
    return (MACHINES / f"{mutant.module}.py").read_text().count(mutant.text)


def load_changed(mutant: Mutant) -> None:
    """Import the mutant's module with its text changed, in place of the real one."""
    name = f"{PACKAGE}.{mutant.module}"
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(name)
    if occurrences(mutant) != 1:
        raise ValueError(f"{mutant.name!r}: its text occurs {occurrences(mutant)} times")
    source = Path(spec.origin).read_text().replace(mutant.text, mutant.instead)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)
    setattr(importlib.import_module(PACKAGE), mutant.module, module)


def try_one(name: str) -> int:
    """In a process of its own: 1 if the fault was found, 0 if not."""
    load_changed(next(mutant for mutant in (CONTROL, *MUTANTS) if mutant.name == name))
    end = time.monotonic() + SEARCH
    quick = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not heavy", str(FOLDER)]
    code = int(pytest.main([*quick, "--ignore", str(FOLDER / "test_mutants.py")]))
    if code != pytest.ExitCode.OK:
        return code  # 1 if tests failed; anything else is not the mutant's doing
    # Only now: it imports the machines, and hypothesis, which pytest has to set up first.
    stories = importlib.import_module("tests.scheduler.state.test_simulated")
    for seed in range(STORIES):
        if seed and time.monotonic() > end:
            break
        try:
            stories.play(seed, stories.everything(seed))
        except Exception as error:
            print(f"found by {type(error).__name__}: {str(error)[:200]}")
            return 1
    return 0


def found(mutant: Mutant) -> bool:
    """Whether the tests find a mutant; one that makes them hang is found too."""
    command = [sys.executable, "-m", "tests.scheduler.state.mutants", "--one", mutant.name]
    try:
        result = subprocess.run(
            command, cwd=ROOT, timeout=SECONDS, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if result.returncode not in (0, 1):
        raise RuntimeError(result.stdout + result.stderr)
    return result.returncode == 1


def main(names: list[str]) -> int:
    """Try mutants; the number of those that survive."""
    survivors = 0
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        begin = time.monotonic()
        caught = found(mutant)
        survivors += not caught
        word = "found   " if caught else "SURVIVED"
        print(
            f"{word} {time.monotonic() - begin:5.1f} s  {mutant.module}: {mutant.name}", flush=True
        )
    print(f"{survivors} survived")
    return survivors


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.exit(try_one(sys.argv[2]))
    sys.exit(1 if main(sys.argv[1:]) else 0)
