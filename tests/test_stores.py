"""Stores: nothing reported is lost, nothing is run twice, whatever dies."""

import contextlib
import dataclasses
import io
import itertools
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import zlib
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search import Objective, Status, Trial, samplers
from jaxsched.search.session import opened as open_store
from jaxsched.search.spaces.space import Space
from jaxsched.search.stores import SQLiteStore, packing, sqlite
from jaxsched.search.stores.base import StoreError
from jaxsched.search.stores.checkpoints import Checkpoints
from jaxsched.search.stores.leases import Process, is_dead, this_process
from jaxsched.search.stores.packing import pack_metrics, unpack_metrics

from .postgres import PASSWORD, WRONG


SPACE = Space(
    search.one_of(
        linear=js.linear(search.logspace(0.001, 1.0, 8), 0.0, steps=10),
        cosine=js.cosine(search.logspace(0.01, 1.0, 8), 0.0, steps=10),
    )
)

GRID = [
    Trial(0, f"{candidate.code} {seed}", candidate.params, seed)
    for candidate, seed in itertools.product(samplers.grid(SPACE), range(4))
]

EACH_ONCE = list(range(64))

# Workers that have imported JAX begin in milliseconds, and have no threads of ours.
workers = multiprocessing.get_context("forkserver")
workers.set_forkserver_preload([__name__, "jaxsched.search.optuna.store"])


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a store is, for any process to open it."""

    address: str
    study: str = ""

    def open(self, **options):
        if not self.study:
            return SQLiteStore(self.address, **options)
        from jaxsched.search.optuna.store import OptunaStore  # noqa: PLC0415

        options = {
            "dimensions": SPACE.dimensions,
            "objective": Objective("loss"),
            **options,
        }
        return OptunaStore(self.address, self.study, **options)


@pytest.fixture(params=["file", "server"])
def place(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def file(tmp_path):
    return Place(str(tmp_path / "runs" / "search.db"))


@pytest.fixture
def server(postgres, request):
    return Place(postgres.url(), request.node.nodeid)


@pytest.fixture
def opened():
    """Opens stores, and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def open_it(place, **options):
            return stack.enter_context(contextlib.closing(place.open(**options)))

        yield open_it


def done(trial, **changes):
    metrics = {"loss": np.float32(trial.seed), "curve": np.arange(3.0)}
    return dataclasses.replace(
        trial, **{"status": Status.COMPLETE, "steps": 10, "metrics": metrics, **changes}
    )


def statuses(store):
    return [trial.status for trial in store.trials()]


# The contract, of both.


def test_what_is_recorded_comes_back_to_the_bit(place, opened):
    store = opened(place)
    store.add(GRID[:2])
    odd = np.array([0x7FF0DEADBEEF0001, 0xFFF8000000000001], "u8").view("f8")
    history = {
        5: {"loss": 0.1, "float32": np.float32(0.1), "nan": float("nan")},
        10: {"loss": float("inf"), "odd nan": odd[1], "least": 5e-324, "zero": -0.0},
    }
    metrics = {
        "loss": np.float32(1 / 3),
        "doubles": np.array([np.pi, np.inf, -np.inf, -0.0]),
        "odd nans": odd,
        "bfloat16": np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3),
        "empty": np.zeros((0, 2), np.int8),
        "file": np.array([True, False]),
        "strided": np.arange(12).reshape(3, 4).T[::2],
    }
    first, second = store.claim(2)
    store.record([dataclasses.replace(first, steps=5, history={5: history[5]})])
    told = done(
        first,
        history={10: history[10]},
        metrics=metrics,
        seconds=0.1,
        host="here",
        device="cpu:0",
        error="It's 100 % \N{SNOWMAN} \0.",
    )
    assert store.record([told, done(second, status=Status.DIVERGED)]) == []
    store.close()
    again, diverged = opened(place).trials()
    assert diverged.status == Status.DIVERGED
    for name in ("id", "params", "seed", "seconds", "host", "device", "error"):
        assert getattr(again, name) == getattr(told, name)
    assert (again.number, again.status, again.steps, again.attempt) == (
        0,
        "complete",
        10,
        1,
    )
    assert [type(label) for label in again.params.values()] == [str, float]
    for name, array in metrics.items():
        found = again.metrics[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
    assert list(again.metrics) == list(metrics)
    assert {
        steps: {name: np.float64(value).tobytes() for name, value in values.items()}
        for steps, values in again.history.items()
    } == {
        steps: {name: np.float64(value).tobytes() for name, value in values.items()}
        for steps, values in history.items()
    }


def test_what_is_only_looked_for_is_not_made(place):
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="There is no"):
            place.open(new=False)
    place.open().close()
    place.open(new=False).close()


def test_trials_are_numbered_as_given_and_a_grid_may_grow(place, opened):
    store = opened(place)
    store.add(GRID[1:4])
    store.add([*GRID[:5], GRID[0]])
    found = store.trials()
    assert [trial.id for trial in found] == [GRID[at].id for at in (1, 2, 3, 0, 4)]
    assert [trial.number for trial in found] == [0, 1, 2, 3, 4]
    assert {trial.status for trial in found} == {Status.WAITING}


def test_each_is_claimed_once_and_given_back_on_the_way_out(place, opened):
    store, other = opened(place), opened(place)
    store.add(GRID[:5])
    mine, theirs = store.claim(3), other.claim(8)
    assert [trial.number for trial in mine + theirs] == [0, 1, 2, 3, 4]
    assert {trial.status for trial in mine} == {Status.RUNNING}
    assert store.claim(1) == []
    history = {5: {"loss": 1.0}}
    store.record([dataclasses.replace(mine[2], steps=5, history=history)])
    store.close()
    back = other.claim(8)
    assert [trial.number for trial in back] == [2, 0, 1]
    assert back[0].steps == 5
    assert back[0].history == history


def test_what_is_finished_stays_so(place, opened):
    store, other = opened(place), opened(place)
    store.add(GRID[:2])
    first, second = store.claim(2)
    store.record([done(first)])
    assert store.record([done(first, seconds=9.0), done(second)]) == [0]
    assert other.record([done(second, status=Status.FAILED)]) == [1]
    assert other.decide(lambda board: {0: Status.PRUNED, 1: Status.WAITING}) == {}
    assert [t.status for t in store.trials()] == [Status.COMPLETE] * 2
    assert store.trials()[0].seconds == 0.0


def test_who_lives_keeps_its_trials_however_long_they_take(place, opened):
    lease = 1.0
    store, other = opened(place, lease=lease), opened(place, lease=lease)
    store.add(GRID[:2])
    claimed = store.claim(2)
    time.sleep(2.5 * lease)
    assert other.claim(2) == []
    assert store.record([done(trial) for trial in claimed]) == []


def test_who_is_thought_dead_changes_nothing_any_more(place, opened):
    store, other = opened(place, lease=0.5), opened(place, lease=60.0)
    if place.study:
        other = opened(place, lease=0.5)
    store.add(GRID[:1])
    [mine] = store.claim(1)
    store._heartbeat.stop()
    time.sleep(1.0)
    [theirs] = other.claim(1)
    assert (theirs.number, theirs.attempt) == (0, 2)
    late = done(mine, seconds=1.0, history={3: {"loss": 1.0}})
    assert store.record([late]) == [0]
    assert statuses(other) == [Status.RUNNING]
    assert other.record([done(theirs, seconds=2.0)]) == []
    assert store.record([late]) == [0]
    [found] = other.trials()
    assert (found.seconds, found.history, found.attempt) == (2.0, {}, 2)


def test_a_pruner_sees_all_and_stops_whom_it_likes(place, opened):
    store, other = opened(place), opened(place)
    store.add(GRID[:4])
    first, second, third = store.claim(3)
    store.record([done(first)])
    store.record([dataclasses.replace(second, steps=5, history={5: {"loss": 2.0}})])
    boards = []

    def decide(board):
        boards.append(board)
        return dict.fromkeys(range(4), Status.PRUNED)

    assert other.decide(decide) == dict.fromkeys([1, 2, 3], Status.PRUNED)
    assert [trial.number for trial in boards[0]] == [0, 1, 2, 3]
    assert boards[0][0].metrics == {}
    assert boards[0][1].history == {5: {"loss": 2.0}}
    assert store.record([done(second), third]) == [1, 2]
    assert statuses(store) == [Status.COMPLETE] + [Status.PRUNED] * 3
    assert store.trials()[1].steps == 5


def test_a_pruner_cannot_start_a_trial(place, opened):
    store = opened(place)
    store.add(GRID[:1])
    with pytest.raises(ValueError, match="running"):
        store.decide(lambda board: {0: Status.RUNNING})
    assert statuses(store) == [Status.WAITING]


def test_another_search_is_told_from_this_one(place, opened):
    store = opened(place)
    fingerprint = {"width": 8, "task": "digits", "steps": (5, 10)}
    store.identify(fingerprint)
    opened(place).identify(fingerprint)
    other = {"width": 16, "steps": [5, 10], "jax": "0.10"}
    with pytest.raises(ValueError, match="Another search") as caught:
        store.identify(other)
    for part in ("`width` is 8 there and 16 here", '"digits" there and missing here'):
        assert part in str(caught.value)
    assert "`jax` is missing there" in str(caught.value)
    assert "steps" not in str(caught.value)
    store.identify(other, force=True)
    opened(place).identify(other)


# Several processes.


def ended(processes):
    """Waits for processes, though not for ever, and returns how they ended."""
    for process in processes:
        process.join(60)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def add_at_once(place, start, trials):
    start.wait()
    with contextlib.closing(place.open()) as store:
        store.add(trials)


@pytest.mark.parametrize("kind", ["file", "server"])
def test_however_many_add_a_grid_it_is_there_once(kind, request, opened):
    if kind == "file":
        place, trials = request.getfixturevalue("file"), GRID
    else:  # Where not even the tables are there yet.
        url = request.getfixturevalue("postgres").create("empty")
        place, trials = Place(url, "at once"), GRID[:24]
    start = workers.Barrier(3)
    task = {"target": add_at_once, "args": (place, start, trials)}
    adding = [workers.Process(**task) for _ in range(3)]
    for process in adding:
        process.start()
    assert ended(adding) == [0, 0, 0]
    found = opened(place).trials()
    assert [trial.number for trial in found] == EACH_ONCE[: len(trials)]
    assert [trial.id for trial in found] == [trial.id for trial in trials]


def work(place, finished, options):
    """Runs trials until all are finished, and writes down which."""
    Path(finished).touch()
    with contextlib.closing(place.open(**options)) as store:
        while True:
            claimed = store.claim(4)
            if not claimed:
                if set(statuses(store)) == {Status.COMPLETE}:
                    return
                time.sleep(0.1)
            lost = store.record([done(trial) for trial in claimed])
            with Path(finished).open("a") as file:
                for trial in claimed:
                    if trial.number not in lost:
                        file.write(f"{trial.number}\n")


def hang(place, held, options):
    """Claims trials, says so, and stands still."""
    store = place.open(**options)
    claimed = store.claim(4)
    Path(held).write_text(" ".join(str(trial.number) for trial in claimed))
    time.sleep(600)


def test_when_a_worker_is_killed_others_run_its_trials(place, opened, tmp_path):
    # On one machine nobody waits for the end of the lease.
    options = {"lease": 2.5 if place.study else 600.0}
    trials = GRID[:24] if place.study else GRID  # Optuna takes its time.
    store = opened(place, **options)
    store.add(trials)
    held = tmp_path / "held"
    victim = workers.Process(target=hang, args=(place, held, options))
    victim.start()
    while not (held.exists() and held.read_text()):
        assert victim.is_alive()
        time.sleep(0.02)
    logs = [tmp_path / "one", tmp_path / "two"]
    others = [workers.Process(target=work, args=(place, log, options)) for log in logs]
    for process in others:
        process.start()
    victim.kill()
    assert ended([*others, victim]) == [0, 0, -signal.SIGKILL]
    finished = [int(line) for log in logs for line in log.read_text().split()]
    assert sorted(finished) == EACH_ONCE[: len(trials)]
    found = store.trials()
    assert [trial.number for trial in found] == EACH_ONCE[: len(trials)]
    assert {trial.status for trial in found} == {Status.COMPLETE}
    taken = {int(number) for number in held.read_text().split()}
    assert len(taken) == 4
    assert {trial.number for trial in found if trial.attempt == 2} == taken


def test_a_process_is_dead_only_if_that_is_sure():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = this_process()
    with child:
        assert not is_dead(here)
        assert not is_dead(Process(here.host, child.pid, ""))
        assert is_dead(Process(here.host, child.pid, "another start"))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(Process(here.host, child.pid, "1"))  # Though not yet buried.
    assert is_dead(Process(here.host, child.pid, ""))
    assert not is_dead(Process("elsewhere", child.pid, ""))


def test_of_the_board_only_what_has_changed_is_read_again(file, opened):
    store, other = opened(file), opened(file)
    store.add(GRID[:8])
    before = store.trials(metrics=False)
    [trial] = other.claim(1)
    other.record([done(trial, status=Status.RUNNING, history={10: {"loss": 1.0}})])
    after = store.trials(metrics=False)
    changed = [new for old, new in zip(before, after, strict=True) if new is not old]
    assert [(t.number, t.status, t.history) for t in changed] == [
        (trial.number, Status.RUNNING, {10: {"loss": 1.0}})
    ]


def test_who_has_closed_in_this_process_is_not_waited_for(file, opened, monkeypatch):
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    store = opened(file)
    store.add(GRID[:2])
    assert len(store.claim(2)) == 2
    with contextlib.closing(sqlite3.connect(file.address)) as database:
        database.execute("BEGIN IMMEDIATE")
        store.close()
    other = opened(file)
    assert statuses(other) == [Status.RUNNING] * 2
    assert len(other.claim(2)) == 2


# Files.


def test_files_are_for_their_owner_only(tmp_path, opened):
    before = os.umask(0)
    try:
        place = Place(str(tmp_path / "new" / "search.db"))
        opened(place).add(GRID)
        states = Checkpoints(tmp_path / "states")
        states.save(0, 1, [np.ones(2)])
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    files = ("search.db", "search.db-wal", "search.db-shm", "0.arrays")
    assert modes == {"new": 0o700, "states": 0o700} | dict.fromkeys(files, 0o600)


@pytest.fixture
def killed(tmp_path, opened):
    """The files of a search as a kill leaves them: half of it in the log only."""
    place = Place(str(tmp_path / "whole" / "search.db"))
    store = opened(place)
    store.add(GRID)
    claimed = store.claim(64)
    store.record([done(trial) for trial in claimed[:32]])
    with contextlib.closing(sqlite3.connect(place.address)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for trial in claimed[32:]:
        store.record([done(trial)])
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    (tmp_path / "killed" / "search.db-shm").unlink()
    return tmp_path / "killed" / "search.db"


@pytest.mark.parametrize("cut", [1, 33, 4096 + 24 + 7, 100_000, 10**9])
def test_of_a_truncated_log_what_is_whole_counts(killed, opened, cut):
    log = killed.with_name("search.db-wal")
    os.truncate(log, max(log.stat().st_size - cut, 0))
    store = opened(Place(str(killed)))
    found = statuses(store)
    whole = found.count(Status.COMPLETE)
    assert 32 <= whole < 64
    assert found[:whole] == [Status.COMPLETE] * whole
    assert all(trial.metrics for trial in store.trials()[:whole])
    with contextlib.closing(sqlite3.connect(killed)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_garbage_at_the_end_of_a_log_is_ignored(killed, opened):
    with killed.with_name("search.db-wal").open("ab") as log:
        log.write(np.random.default_rng(0).bytes(10_000))
    store = opened(Place(str(killed)))
    assert statuses(store) == [Status.COMPLETE] * 64
    store.add([dataclasses.replace(GRID[0], id="another")])
    assert len(store.trials()) == 65


def test_on_a_full_disk_what_was_written_is_intact(mount, opened):
    place = Place(str(mount("size=300k") / "search.db"))
    store = opened(place)
    store.add(GRID)
    claimed = store.claim(64)
    store.record([done(trial) for trial in claimed[:32]])
    noise = np.random.default_rng(0).bytes(100_000)
    large = [
        done(trial, metrics={"large": np.frombuffer(noise, np.uint8)})
        for trial in claimed[32:]
    ]
    with pytest.raises(StoreError, match=r"full.*already written are intact.*go on"):
        store.record(large)
    assert statuses(store) == [Status.COMPLETE] * 32 + [Status.RUNNING] * 32
    mount("remount,size=50m")
    assert store.record(large) == []
    assert statuses(store) == [Status.COMPLETE] * 64


def test_a_state_on_a_full_disk_leaves_the_one_before(mount):
    folder = mount("size=200k")
    states = Checkpoints(folder)
    states.save(0, 1, [np.ones(100)])
    with pytest.raises(StoreError, match=r"trial 0 after 2 steps.*No space left"):
        states.save(0, 2, [np.ones(100_000)])
    assert states.load(0, [np.ones(100)])[0] == 1
    assert [path.name for path in folder.iterdir()] == ["0.arrays"]


def test_a_folder_that_cannot_be_written_is_named(mount):
    folder = mount("ro")
    with pytest.raises(OSError, match=r"Read-only.*search\.db"):
        SQLiteStore(folder / "search.db")


def make_database(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE studies (name)")


def make_newer(path):
    SQLiteStore(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1000")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: path.write_text("Dear diary. " * 100), "not a database"),
        (make_database, "something else"),
        (make_newer, "newer version.*update jaxsched"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_alone(tmp_path, make, complaint):
    path = tmp_path / "search.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=complaint):
        SQLiteStore(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_trained_come_first_and_paused_ones_wait_for_the_pruner(
    place, opened
):
    store = opened(place)
    store.add(GRID[:4])
    claimed = store.claim(4)
    store.record(
        [
            dataclasses.replace(
                trial,
                status=Status.PAUSED,
                steps=steps,
                history={steps: {"loss": 1.0}},
            )
            for trial, steps in zip(claimed, (5, 10, 5, 10), strict=True)
        ]
    )
    assert store.claim(4) == []
    promoted = {0: Status.WAITING, 3: Status.WAITING, 1: Status.PRUNED}
    assert store.decide(lambda board: promoted) == promoted
    again = store.claim(4)
    assert [(trial.number, trial.steps, trial.attempt) for trial in again] == [
        (3, 10, 2),
        (0, 5, 2),
    ]
    assert statuses(store) == ["running", "pruned", "paused", "running"]


# Nothing is unpickled.


class Burglar:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (self.trace,))


def break_ins(trace):
    array = np.array([Burglar(trace)], dtype=object)
    npz, npy = io.BytesIO(), io.BytesIO()
    np.savez(npz, array)
    np.save(npy, array)
    header = b'{"about": ["loss"], "arrays": [["O", [1]]]}'
    payload = header + bytes(8)
    size, checksum = len(header).to_bytes(8, "little"), zlib.crc32(payload)
    forged = packing.MAGIC + size + payload + checksum.to_bytes(4, "little")
    return [
        npz.getvalue(),
        npy.getvalue(),
        forged,
        pickle.dumps(Burglar(trace)),
    ]


def test_a_pickle_in_place_of_a_state_or_of_metrics_is_not_loaded(
    tmp_path, file, opened
):
    trace = str(tmp_path / "trace")
    states = Checkpoints(tmp_path / "states")
    store = opened(file)
    store.add(GRID[:1])
    store.record([done(trial) for trial in store.claim(1)])
    for payload in break_ins(trace):
        (tmp_path / "states" / "0.arrays").write_bytes(payload)
        assert states.load(0, [np.empty(1, object)]) is None
        with contextlib.closing(sqlite3.connect(file.address)) as database, database:
            database.execute("UPDATE trials SET metrics = ?", [payload])
        with pytest.raises(StoreError, match="metrics of trial 0 are damaged"):
            store.trials()
    assert not Path(trace).exists()


def test_python_objects_are_not_written():
    with pytest.raises(TypeError, match="Python objects"):
        pack_metrics({"loss": np.array([None])})
    assert unpack_metrics(pack_metrics({}), 0) == {}


# States.


LEAVES = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.array([np.nan, -0.0, np.inf]),
    np.array(7, np.int32),
    np.zeros((0, 4), np.float16),
    np.array([True, False]),
    np.arange(4).astype(ml_dtypes.bfloat16),
    np.arange(4).astype(ml_dtypes.float8_e4m3fn),
    np.arange(4).astype(ml_dtypes.int4),
]


@pytest.fixture(params=["memory", "folder"])
def states(request, tmp_path):
    return Checkpoints(None if request.param == "memory" else tmp_path / "states")


def test_a_state_comes_back_to_the_bit(states):
    leaves = [*LEAVES, np.asarray(jax.random.key_data(jax.random.key(3)))]
    like = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    assert states.load(7, like) is None
    states.save(7, 50, leaves)
    states.save(7, 100, leaves)
    steps, found = states.load(7, like)
    assert steps == 100
    assert [leaf.dtype for leaf in found] == [leaf.dtype for leaf in leaves]
    assert [leaf.tobytes() for leaf in found] == [leaf.tobytes() for leaf in leaves]
    states.drop(7)
    states.drop(7)
    assert states.load(7, like) is None


def test_a_state_of_another_program_is_ignored(states):
    states.save(0, 50, LEAVES)
    assert states.load(0, LEAVES[:-1]) is None
    assert states.load(0, [*LEAVES[:-1], LEAVES[-1].astype(np.int8)]) is None
    assert states.load(0, [LEAVES[0].T, *LEAVES[1:]]) is None


def test_a_torn_or_damaged_state_is_ignored(tmp_path):
    states, path = Checkpoints(tmp_path), tmp_path / "0.arrays"
    states.save(0, 50, LEAVES)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        assert states.load(0, LEAVES) is None
    at = whole.index(LEAVES[0].tobytes())
    path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    assert states.load(0, LEAVES) is None
    path.unlink()
    path.mkdir()
    assert states.load(0, LEAVES) is None


# PostgreSQL.


def test_optuna_is_told_what_the_dimensions_are(server, opened):
    import optuna  # noqa: PLC0415
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        FloatDistribution,
    )

    peak = search.loguniform(0.01, 1.0)
    space = Space(
        search.one_of(
            linear=js.linear(peak, 0.0, steps=10),
            cosine=js.cosine(peak, 0.0, steps=10),
            constant=js.constant(search.choice([0.1, 0.2])),
        )
    )
    objective = Objective("loss", "max")
    store = opened(server, dimensions=space.dimensions, objective=objective)
    candidates = list(samplers.random(space, 12))
    store.add(
        Trial(0, str(number), candidate.params, number)
        for number, candidate in enumerate(candidates)
    )
    trials = store.claim(12)
    assert [trial.params for trial in trials] == [c.params for c in candidates]
    history = {5: {"loss": 1.0, "norm": 9.0}}
    store.record([done(trial, history=history) for trial in trials[:10]])
    store.record([done(trials[10], status=Status.DIVERGED), trials[11]])
    study = optuna.load_study(study_name=server.study, storage=store._storage)
    assert study.direction.name == "MAXIMIZE"
    shown = study.trials
    for trial, one in zip(trials, shown, strict=True):
        assert sorted(one.params.values(), key=str) == sorted(
            trial.params.values(), key=str
        )
        assert one.user_attrs["seed"] == trial.seed
    assert [one.value for one in shown[:10]] == [float(seed) for seed in range(10)]
    assert shown[0].intermediate_values == {5: 1.0}
    assert [one.state.name for one in shown[9:]] == ["COMPLETE", "PRUNED", "RUNNING"]
    distributions = {n: d for one in shown for n, d in one.distributions.items()}
    assert distributions == {
        "family": CategoricalDistribution(["linear", "cosine", "constant"]),
        "start": FloatDistribution(0.01, 1.0, log=True),
        "level": CategoricalDistribution([0.1, 0.2]),
    }
    assert study.best_value == 9.0


def test_a_server_that_restarts_is_waited_for(server, postgres, opened, caplog):
    store = opened(server, lease=30.0)
    store.add(GRID[:8])
    claimed = store.claim(4)
    for end in (postgres.stop, postgres.kill):
        end()
        later = threading.Timer(0.5, postgres.start)
        try:
            # Training goes on: what is recorded waits in memory.
            assert store.record([done(claimed.pop()), done(claimed.pop())]) == []
        finally:
            later.start()
        [more] = store.claim(1)
        later.join()
        assert store.record([done(more)]) == []
    assert statuses(store)[:6] == [Status.COMPLETE] * 6
    assert [record.message for record in caplog.records if "away" in record.message]


def test_what_is_added_during_a_restart_is_there_once(server, postgres, opened):
    store, other = opened(server), opened(server)

    def restart():
        postgres.stop()
        postgres.start()

    trials = GRID[:32]
    adding = threading.Thread(target=other.add, args=(trials,))
    restarting = threading.Timer(0.3, restart)
    adding.start()
    restarting.start()
    store.add(trials)
    adding.join()
    restarting.join()
    assert [trial.id for trial in store.trials()] == [t.id for t in trials]
    claimed = store.claim(100)
    assert [trial.number for trial in claimed] == EACH_ONCE[:32]
    assert other.claim(100) == []


def test_a_trial_that_kills_its_workers_fails_at_last(server, opened):
    store = opened(server, lease=0.5, retries=1)
    store.add(GRID[:2])
    for attempt in (1, 2):
        victim = opened(server, lease=0.5, retries=1)
        [claimed] = victim.claim(1)
        assert (claimed.number, claimed.attempt) == (0, attempt)
        victim._heartbeat.stop()
        time.sleep(0.8)
    assert [trial.number for trial in store.claim(4)] == [1]
    failed = store.trials()[0]
    assert (failed.status, failed.attempt) == (Status.FAILED, 2)
    assert "started 2 times" in failed.error


def test_one_that_was_given_up_but_not_made_again_is_not_lost(server, opened):
    """A worker may be killed in between."""
    store = opened(server)
    store.add(GRID[:2])
    store.claim(1)
    from optuna.trial import TrialState  # noqa: PLC0415

    store._storage.set_trial_state_values(store._held[0].key, TrialState.FAIL)
    assert statuses(store) == [Status.WAITING] * 2
    assert [trial.number for trial in opened(server).claim(4)] == [0, 1]


def test_one_that_was_made_twice_is_run_once(server, opened):
    """Optuna may make one again, if the server went away in the middle."""
    store = opened(server)
    store.add(GRID[:2])
    store._study.add_trial(store._study.trials[0])
    assert len(store.trials()) == 2
    assert [trial.number for trial in store.claim(4)] == [0, 1]
    assert opened(server).claim(4) == []
    assert len(store.trials()) == 2


@contextlib.contextmanager
def stopped(postgres):
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def use_while_away(place, postgres):
    store = place.open(patience=0.3)
    store.add(GRID[:2])
    claimed = store.claim(2)
    with stopped(postgres):
        store.record([done(claimed[0])])
        try:
            store.claim(1)
        finally:
            with pytest.raises(StoreError):
                store.close()


def be_another(place, postgres):
    with contextlib.closing(place.open()) as store:
        store.identify({"width": 1})
        store.identify({"width": 2})


FAILURES = {
    "wrong password": lambda place, postgres: Place(
        postgres.url(password=WRONG), "s"
    ).open(),
    "unreachable": lambda place, postgres: Place(
        place.address.replace(f":{postgres.port}", ":1"), "s"
    ).open(),
    "no database": lambda place, postgres: Place(
        place.address.replace("/postgres", "/none"), "s"
    ).open(),
    "bad port": lambda place, postgres: Place(
        place.address.replace(f":{postgres.port}", ":port"), "s"
    ).open(),
    "bad option": lambda place, postgres: Place(
        f"{place.address}?nonsense=1", "s"
    ).open(),
    "other program": lambda place, postgres: open_store(
        place.address.replace("postgresql", "mysql"), None, "s"
    ),
    "no program": lambda place, postgres: open_store(
        place.address.replace("postgresql://", ""), None, "s"
    ),
    "away": use_while_away,
    "another search": be_another,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_password_is_never_shown(failure, server, postgres, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with pytest.raises((StoreError, ValueError)) as caught:
        FAILURES[failure](server, postgres)
    chain, error = [], caught.value
    while error is not None:
        chain += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    chain += traceback.format_exception(caught.value)
    shown = "\n".join([*chain, caplog.text, *capfd.readouterr()])
    for secret in ("hunter2", "swordfish", WRONG):
        assert secret not in shown


def test_a_password_may_be_left_to_the_environment(postgres, opened, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    store = opened(Place(postgres.url(password=""), "environment"))
    store.add(GRID[:1])
    assert repr(store) == (
        "OptunaStore('environment' on PostgreSQL on 127.0.0.1, database 'postgres')"
    )


def test_a_study_of_somebody_else_is_left_alone(server, postgres):
    import optuna  # noqa: PLC0415

    Place(postgres.url(), "ours").open().close()  # Makes the tables.
    store = Place(postgres.url(), "ours").open()
    study = optuna.create_study(study_name="theirs", storage=store._storage)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(ValueError, match="'theirs' in this database that is no search"):
        Place(postgres.url(), "theirs").open()
    assert len(study.get_trials()) == 1
    store.close()


def test_optuna_on_sqlite_is_refused(tmp_path):
    pytest.importorskip("optuna")
    with pytest.raises(ValueError, match="workers would take the same trials"):
        Place(f"sqlite:///{tmp_path}/optuna.db", "s").open()


def test_the_address_says_which_store(tmp_path, postgres, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = {
        (None, None): "SQLiteStore(':memory:', 'mine')",
        (None, Path("runs/1.db")): f"SQLiteStore('{tmp_path}/runs/1.db', 'mine')",
        (
            "sqlite:///here.db",
            Path("1.db"),
        ): f"SQLiteStore('{tmp_path}/here.db', 'mine')",
        (
            f"sqlite:///{tmp_path}/there.db",
            None,
        ): f"SQLiteStore('{tmp_path}/there.db', 'mine')",
        ("sqlite:///:memory:", None): "SQLiteStore(':memory:', 'mine')",
        (postgres.url(), None): (
            "OptunaStore('mine' on PostgreSQL on 127.0.0.1, database 'postgres')"
        ),
    }
    for (address, file), expected in shown.items():
        with contextlib.closing(open_store(address, file, "mine")) as store:
            assert repr(store) == expected
    for wrong in ("runs/search.db", "sqlite://here.db", "sqlite:///", "mysql://h/d"):
        with pytest.raises(ValueError, match=r"can be kept in `sqlite:///search.db`"):
            open_store(wrong, None, "mine")
