"""Failures: whatever breaks, what was found stays found, and the rest is the same."""

import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxsched as js
from jaxsched import cli, search
from jaxsched.search import Status, StoreError
from jaxsched.search.session import opened
from jaxsched.search.stores import SQLiteStore
from jaxsched.search.trial import FINISHED

from . import killed
from .killed import GRID, HEARTBEAT, WIDTH
from .postgres import PASSWORD


SEGMENTS = killed.STEPS // killed.SEGMENT

HALVING = search.halving(4, min_steps=10)

ROOT = Path(__file__).parents[1]


@functools.cache
def solo(**options):
    """The search that nothing happened to, on one device."""
    return killed.run(devices=jax.devices()[:1], **options)


def bits(results):
    """All that has to be the same to the bit."""
    columns = results.reproducible | {
        f"{kind} {name}": values
        for kind in ("metrics", "curves")
        for name, values in getattr(results, kind).items()
    }
    columns["curve steps"] = results.curve_steps
    return {
        name: (values.dtype, values.shape, values.tobytes())
        for name, values in columns.items()
    }


def assert_same(found, expected):
    found, expected = bits(found), bits(expected)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def finished(out):
    """What is known of the trials that came to an end, and must stay as it is."""
    with contextlib.suppress(FileNotFoundError):
        return {
            trial.id: (trial.status, trial.attempt, trial.seconds, trial.device)
            for trial in search.load(out, GRID).trials
            if trial.status in FINISHED
        }
    return {}


def statuses(out):
    with contextlib.suppress(FileNotFoundError):
        return [trial.status for trial in search.load(out, GRID).trials]
    return []


class Child:
    """A process that searches."""

    def __init__(self, folder, devices=1, target=killed.train, **options):
        self._here, there = killed.processes.Pipe(duplex=False)
        self.process = killed.processes.Process(
            target=target, args=(there, folder, devices), kwargs=options
        )
        self.process.start()
        there.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def told(self, times=1):
        """Waits until it has told so often how far it is; returns what it told last."""
        for _ in range(times):
            assert self._here.poll(120), "nothing is going on"
            found = self._here.recv()
        return found

    def kill(self):
        self.process.kill()
        self.process.join()

    def ends(self):
        """Waits for its end, and returns how it ended."""
        with contextlib.suppress(EOFError):
            while self.told() is not None:
                pass
        self.process.join(60)
        return self.process.exitcode


def until(true):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


# One process.


@pytest.mark.parametrize(
    ("kills", "most", "options"),
    [(20, 9, {}), (6, 3, {"seeds": 1, "pruner": HALVING})],
    ids=["grid", "halving"],
)
def test_killed_again_and_again_it_comes_to_the_same(tmp_path, kills, most, options):
    chance, before = random.Random(kills), {}
    for life in range(kills):
        devices = chance.choice([1, 2, 4])
        with Child(
            tmp_path,
            devices,
            most=most // devices or 1,  # Or it might be over before the last kill.
            keep=chance.choice([0.0, 0.0, 0.0, 30.0]),
            **options,
        ) as child:
            if life % 4:
                child.told()
                time.sleep(chance.uniform(0.0, 0.3))
            else:
                time.sleep(chance.uniform(0.0, 1.5))
        after = finished(tmp_path / "out")
        assert before.items() <= after.items()
        before = after
    left = set(statuses(tmp_path / "out"))
    assert Status.WAITING in left
    assert len(left) > 1
    with Child(tmp_path, chance.choice([2, 4]), **options) as child:
        assert child.ends() == 0
    assert before.items() <= finished(tmp_path / "out").items()
    assert_same(search.load(tmp_path / "out", GRID), solo(**options))


@pytest.mark.parametrize("status", [Status.PAUSED, Status.COMPLETE])
def test_what_was_saved_but_not_written_down_is_done_again(tmp_path, status):
    options = {"seeds": 1, "pruner": HALVING}
    with Child(tmp_path, 2, keep=0.0, kill=status, **options) as child:
        assert child.ends() == -signal.SIGKILL
    assert status not in statuses(tmp_path / "out")
    assert_same(killed.run(out=tmp_path / "out", **options), solo(**options))


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a search leaves that was killed in the middle."""
    folder = tmp_path_factory.mktemp("left")
    with Child(folder, most=SEGMENTS + 3, keep=0.0, seeds=1) as child:
        child.told(SEGMENTS + 3)
    kept = (folder / "out" / "states").glob("*.arrays")
    assert len(list(kept)) == WIDTH
    return folder


@pytest.fixture
def out(left, tmp_path):
    return shutil.copytree(left / "out", tmp_path / "out")


def test_torn_states_are_trained_again(out):
    torn, cut, *whole = (out / "states").glob("*.arrays")
    torn.write_bytes(torn.read_bytes()[:-500])
    cut.write_bytes(b"")
    (out / "states" / "another.arrays").write_bytes(whole[0].read_bytes())
    before = finished(out)
    assert len(before) == WIDTH
    assert_same(killed.run(out=out, seeds=1), solo(seeds=1))
    assert before.items() <= finished(out).items()


@pytest.mark.parametrize("cut", [1, 50_000])
def test_of_a_torn_log_the_rest_is_trained_again(out, cut):
    log = out / "search.db-wal"
    assert log.stat().st_size > cut
    os.truncate(log, log.stat().st_size - cut)
    assert_same(killed.run(out=out, seeds=1), solo(seeds=1))


def test_files_are_for_their_owner_only(left):
    ours = left / "out", left / "out" / "compiled"
    assert {oct(folder.stat().st_mode) for folder in ours} == {"0o40700"}
    modes = {path.name: oct(path.stat().st_mode) for path in ours[0].rglob("*")}
    assert {"search.db", "search.db-wal", "states", "compiled"} < modes.keys()
    for path in (left / "out" / "compiled").iterdir():
        del modes[path.name]  # JAX makes them, in a folder for their owner only.
    assert {modes.pop("states"), modes.pop("compiled")} == {"0o40700"}
    assert set(modes.values()) == {"0o100600"}


# A full disk.


def fill(folder):
    with contextlib.suppress(OSError), (folder / "ballast").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def test_on_a_full_disk_it_stops_and_goes_on_when_there_is_room(mount):
    disk = mount("size=4m")
    options = {"out": disk / "out", "seeds": 1}

    def watch(progress):
        if progress.done == 2 * WIDTH * len(jax.devices()):
            fill(disk)

    with pytest.raises(StoreError, match=r"full.*already written are intact.*go on"):
        killed.run(progress=watch, **options)
    (disk / "ballast").unlink()
    before = finished(disk / "out")
    assert len(before) == 2 * WIDTH * len(jax.devices())
    assert_same(killed.run(**options), solo(seeds=1))
    assert before.items() <= finished(disk / "out").items()


# Several processes.


def test_when_one_of_two_processes_is_killed_the_other_does_its_trials(tmp_path):
    out = tmp_path / "out"
    with Child(tmp_path, most=2, seeds=1) as one:
        one.told(2)
        with Child(tmp_path, 2, seeds=1) as other:
            until(lambda: statuses(out).count(Status.COMPLETE) == 32 - WIDTH)
            assert statuses(out).count(Status.RUNNING) == WIDTH
            one.kill()
            assert other.ends() == 0
    found = search.load(out, GRID)
    assert_same(found, solo(seeds=1))
    attempts = [trial.attempt for trial in found.trials]
    assert attempts == [2] * WIDTH + [1] * (32 - WIDTH)


def test_when_a_process_of_a_job_is_killed_the_others_do_their_shares(tmp_path):
    out = tmp_path / "out"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        job = {"port": free.getsockname()[1], "seeds": 1}
    with (
        Child(tmp_path, 2, index=0, most=2, rest=3 * HEARTBEAT, **job) as survivor,
        Child(tmp_path, 1, index=1, most=SEGMENTS + 2, **job) as victim,
    ):
        victim.told(SEGMENTS + 2)
        victim.kill()
        assert survivor.ends() == 0
    found = statuses(out)
    assert len(found) == 32
    assert found[::2] == [Status.COMPLETE] * 16
    assert found.count(Status.COMPLETE) == 16 + WIDTH
    assert_same(killed.run(out=out, seeds=1), solo(seeds=1))
    assert_same(search.load(out, GRID), solo(seeds=1))


def test_a_second_process_compiles_nothing(tmp_path):
    for expected in ([0, 1], [1, 0]):
        with Child(tmp_path, 2, target=killed.compile_it) as child:
            assert child.told() == expected


# Workers.


FILE = """
import os
import time
from pathlib import Path

from tests.killed import GRID as space, SEGMENT as segment, TASK as task, WIDTH as width

seeds, lease = 1, 3.0

# They begin together, however long each takes to be there.
here = Path(__file__)
here.with_suffix(f".{os.getpid()}").touch()
while len(list(here.parent.glob("worker.*"))) < 3:
    time.sleep(0.05)
"""


def worker(file, url, **variables):
    command = ["-W", "error", "-m", "jaxsched", "search", "worker", str(file)]
    return subprocess.Popen(
        [sys.executable, *command, "--store", url, "--name", "job"],
        cwd=ROOT,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_workers_survive_each_other_and_the_server(postgres, tmp_path):
    file = tmp_path / "worker.py"
    file.write_text(FILE, encoding="utf-8")
    url = postgres.create("workers")
    hidden = postgres.url("workers", password="")
    with (
        contextlib.closing(opened(url, None, "job")) as store,
        worker(file, url) as victim,
        worker(file, hidden, PGPASSWORD=PASSWORD) as survivor,
    ):
        try:
            # More than the lanes of one.
            until(lambda: [t.status for t in store.trials()].count("running") > WIDTH)
        finally:
            victim.kill()
        postgres.stop()
        time.sleep(0.5)
        postgres.start()
        printed = survivor.communicate(timeout=120)[0]
        assert survivor.returncode == 0, printed
        printed += victim.stdout.read()
    assert "is away. Trying again." in printed
    assert PASSWORD not in printed
    assert postgres.url("workers").split(":")[2].split("@")[0] not in printed
    found = search.load(store=url, space=GRID, name="job")
    assert_same(found, solo(seeds=1))
    assert {trial.attempt for trial in found.trials} == {1, 2}


@pytest.mark.parametrize("shared", [True, False])
def test_halving_on_a_server_is_that_of_a_folder(postgres, tmp_path, shared):
    options = {"seeds": 1, "pruner": HALVING}
    url = postgres.create(f"halving{shared}".lower())
    out = tmp_path / "out" if shared else None
    found = killed.run(store=url, name="halving", out=out, **options)
    assert_same(found, solo(**options))
    assert Status.PRUNED in {trial.status for trial in found.trials}
    assert_same(search.load(store=url, name="halving"), solo(**options))


# What is there already.


def once(schedule, key):
    return {"validation": schedule(3) + jax.random.uniform(key), "other": schedule(4)}


def once_more(schedule, key):
    return {"validation": schedule(3) - jax.random.uniform(key), "other": schedule(4)}


RATES = js.constant(search.choice([0.1, 0.2]))
MANY = js.constant(search.linspace(0.1, 0.2, 16))


def search_once(out, train=once, space=RATES, **options):
    asked = {"key": jax.random.key(0), "width": 4}
    return search.run(train, space, **{**asked, "out": out, **options})


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"train": once_more}, r"`program` is \"\w+\" there and \"\w+\" here"),
        ({"key": 1}, r"`key` is \[0, 0\] there and \[0, 1\] here"),
        (
            {"metric": "other", "mode": "min"},
            '`metric` is "validation" there and "other" here',
        ),
        ({"mode": "max"}, '`mode` is "min" there and "max" here'),
        ({"width": 2}, "`width` is 4 there and 2 here"),
        ({"resume": False}, "There is a search in .* already: choose another place"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("ledger", ["search.db", "search-1-of-2.db"])
def test_another_search_is_refused(tmp_path, ledger, options, difference):
    before = search_once(tmp_path / "out")
    # As a job of several processes has it, of which this is none.
    (tmp_path / "out" / "search.db").rename(tmp_path / "out" / ledger)
    if "key" in options:
        options = {"key": jax.random.key(options["key"])}
    with pytest.raises(ValueError, match=difference):
        search_once(tmp_path / "out", **options)
    assert_same(search.load(tmp_path / "out"), before)


def test_another_search_is_mixed_in_by_force(tmp_path):
    before = search_once(tmp_path).trials
    more = js.constant(search.choice([0.1, 0.2, 0.3]))
    mixed = search_once(tmp_path, once_more, more, resume="force").trials
    assert [trial.metrics for trial in mixed[:6]] == [trial.metrics for trial in before]
    alone = search_once(None, once_more, more).trials
    assert [trial.metrics for trial in mixed[6:]] == [t.metrics for t in alone[6:]]


def test_what_was_searched_by_another_metric_is_not_the_best(tmp_path):
    def train(schedule, key):
        return {"another": schedule(3) + 1}

    search_once(tmp_path)
    seen = []
    more = js.constant(search.choice([0.1, 0.2, 0.3]))
    options = {"metric": "another", "mode": "min", "resume": "force"}
    options["progress"] = seen.append
    search_once(tmp_path, train, more, **options)
    assert seen[-1].best == np.float32(0.3) + 1


def test_a_grid_that_has_grown_trains_only_what_is_new(tmp_path):
    before = {t.id: t.seconds for t in search_once(tmp_path).trials}
    trained = []
    more = js.constant(search.choice([0.05, 0.1, 0.15, 0.2]))
    grown = search_once(tmp_path, space=more, progress=trained.append)
    assert_same(grown, search_once(None, space=more))
    assert before.items() <= {t.id: t.seconds for t in grown.trials}.items()
    assert [trial.attempt for trial in grown.trials] == [1] * 12
    assert (trained[0].done, trained[-1].done) == (12, 12)


def test_who_goes_on_knows_the_best_until_then(tmp_path):
    best = search_once(tmp_path).table["validation"].min()
    seen = []
    search_once(tmp_path, progress=seen.append)
    assert seen[0].best == best


def test_what_another_number_of_processes_finished_is_not_trained_again(
    tmp_path, monkeypatch
):
    def as_process(index, count, progress):
        monkeypatch.setattr(jax, "process_index", lambda: index)
        monkeypatch.setattr(jax, "process_count", lambda: count)
        return search_once(tmp_path, space=MANY, progress=progress)

    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(search.Interrupted):
        as_process(1, 2, interrupt)
    results = as_process(0, 1, False)
    seen = []
    assert_same(as_process(1, 2, seen.append), results)
    assert [progress.steps for progress in seen] == [0] * len(seen)
    assert [trial.attempt for trial in results.trials] == [1] * len(results.trials)


def test_one_seed_of_a_function_may_not_become_several(tmp_path):
    search_once(tmp_path, seeds=1)
    there = '`seeds` is "one" there and "any number" here'
    with pytest.raises(ValueError, match=there):
        search_once(tmp_path, seeds=2)


def test_a_task_in_steps_may_get_more_seeds(tmp_path):
    task = search.Task(
        init=lambda schedule, key: jax.random.uniform(key),
        step=lambda schedule, state, t: (state - schedule(t) * state, {}),
        evaluate=lambda schedule, state: {"validation": state},
        steps=4,
    )
    before = search_once(tmp_path, task, seeds=1)
    grown = search_once(tmp_path, task, seeds=3)
    assert_same(grown, search_once(None, task, seeds=3))
    kept = {t.id: t.seconds for t in before.trials}
    assert kept.items() <= {t.id: t.seconds for t in grown.trials}.items()


def test_what_has_hardly_begun_is_not_there_yet(tmp_path):
    SQLiteStore(tmp_path / "search.db").close()
    with pytest.raises(FileNotFoundError, match="There is no search in"):
        search.load(tmp_path)
    assert len(search_once(tmp_path).trials) == 6


def test_what_is_damaged_is_said_in_a_line(tmp_path, capsys):
    (tmp_path / "search.db").write_bytes(b"no database" * 1000)
    assert cli.main(["search", "status", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("jaxsched: error: ")
    assert "name another file" in printed
    assert printed.count("\n") == 1
