"""The command line: what it prints, writes and refuses."""

import contextlib
import csv
import importlib.metadata
import signal
import subprocess
import sys
import time

import pytest

from jaxsched import cli, search
from jaxsched.cli import builtin, parsing
from jaxsched.search import samplers
from tests.searched import found


TINY = ["--task", "digits", "--steps", "12", "--peaks", "0.01", "--warmups", "2"]

FILE = """
import jax
import jaxsched as js
from jaxsched import search

def init(schedule, key):
    return jax.random.uniform(key, minval=1.0, maxval=2.0)

def step(schedule, x, t):
    return x - schedule(t) * x, {"loss": x**2 / 2}

def evaluate(schedule, x):
    return {"distance": abs(x)}

task = search.Task(init, step, evaluate, steps=40)
space = js.linear(search.logspace(0.01, 1.9, 6), 0.0, steps=40)
metric = "distance"
segment = 10
width = 2
"""

PROGRAM = [sys.executable, "-W", "error", "-m", "jaxsched", "search"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "demo.py"
    path.write_text(FILE, encoding="utf-8")
    return path


# The built-in tasks.


def test_a_search_asks_for_what_it_was_told(monkeypatch, tmp_path, capsys):
    asked = []

    def run(problem, space, **options):
        asked.append((problem, search.Space(space), options))
        assert options["progress"] is True
        return found()

    monkeypatch.setattr(builtin, "run", run)
    output = tmp_path / "deep" / "folder"
    more = ["--seeds", "2", "--families", "linear", "wsd", "--out", str(output)]
    assert cli.main(["search", *TINY, *more]) == 0
    [(problem, space, options)] = asked
    candidates = list(samplers.grid(space))
    assert [candidate.params for candidate in candidates] == [
        {"family": "linear", "peak": 0.01, "warmup_steps": 2},
        {"family": "wsd", "peak": 0.01, "warmup_steps": 2},
    ]
    assert (problem.steps, options["seeds"]) == (12, 2)
    printed = capsys.readouterr()
    assert printed.out.startswith("The best of each family")
    assert f"Train with: {found().best().code}" in printed.out
    assert "Training digits with 2 seeds for 12 steps" in printed.err
    assert (output / "search.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "phto"], "no task 'phto', did you mean 'photo'? Known: photo, dig"),
        (["--families", "cosin"], "no family 'cosin', did you mean 'cosine'? Known: "),
        (["--peaks", "0.1", "high"], "argument --peaks: invalid float value: 'high'"),
        (["--peaks", "-1"], "A peak must be a finite number > 0, got -1.0."),
        (["--steps", "0"], "The number of steps must be positive, got 0."),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--seeds", "0"], "The number of seeds must be positive, got 0."),
        (["--steps", "9", "--warmups", "10"], "from 0 to 9 steps"),
        (["--out", f"{__file__}/below"], f"cannot use {__file__}/below"),
        (["--color=red"], "unrecognized arguments: --color=red"),
        (["run", "nothing.py"], "there is no file nothing.py"),
        (["run", __file__], "must define `task` or `train`, and `space`"),
        (["status"], "say which search: its folder, its file, or --store"),
        (["status", "--store", "sqlite:///x.db"], "There is no file"),
        (["table", "nowhere"], "There is no search in 'nowhere'."),
        (["status", "o", "--store", "mysql://x:secret@y/z"], "not in 'mysql'"),
        (["status", __file__, "--store", "mysql://x:secret@y/z"], "not in 'mysql'"),
        (["table", "nowhere.py"], "There is no search in 'nowhere.py'."),
    ],
)
def test_a_bad_request_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert cli.main(["search", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("jaxsched: error: ")
    assert message in printed.err
    assert "secret" not in printed.err


def test_a_command_is_required(capsys):
    assert cli.main([]) == 2
    assert "required: COMMAND" in capsys.readouterr().err
    assert cli.main(["serch"]) == 2
    assert "invalid choice: 'serch'" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert cli.main(["search", *TINY, "--out", str(tmp_path)]) == 2
    assert 'pip install "jaxsched[search]"' in capsys.readouterr().err


def test_no_family_is_best_at_an_edge_of_the_default_peaks():
    steps = 300
    space = search.families(
        peak=search.choice(builtin.PEAKS), warmup_steps=steps // 30, steps=steps
    )
    task = search.tasks.digits(steps)
    results = search.run(task, space, seeds=2, segment=100)
    edges = [results.edges(row) for row in results.best_of_each()]
    assert edges == [{}] * len(search.FAMILIES)


def test_the_module_runs_as_a_program(tmp_path):
    done = subprocess.run(
        [*PROGRAM, *TINY, "--seeds", "1", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "8/8" in done.stderr
    assert "Note: one seed says nothing of the noise" in done.stdout
    assert (tmp_path / "search.png").exists()
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        families = [row["family"] for row in csv.DictReader(file)]
    assert sorted(families) == sorted(search.FAMILIES)


# A search of one's own.


def test_a_file_is_searched_and_looked_at(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["search", "run", str(file), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Train with: linear(" in printed
    with (out / "results.csv").open(encoding="utf-8") as written:
        assert len(list(csv.DictReader(written))) == 18
    assert cli.main(["search", "status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("6 complete\nBest so far: linear(")
    assert cli.main(["search", "table", str(out), "--rows", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    table, picture = tmp_path / "table.csv", tmp_path / "picture.png"
    assert cli.main(["search", "table", str(out), "--to", str(table)]) == 0
    assert cli.main(["search", "plot", str(out), "--to", str(picture)]) == 0
    assert table.exists()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_store_is_looked_at_with_the_file(file, tmp_path, capsys):
    store = ["--store", f"sqlite:///{tmp_path}/search.db"]
    assert cli.main(["search", "run", str(file), *store]) == 0
    best = capsys.readouterr().out.splitlines()[-1].removeprefix("Train with: ")
    assert cli.main(["search", "status", str(file), *store]) == 0
    assert capsys.readouterr().out == f"6 complete\nBest so far: {best}\n"
    elsewhere = ["--store", "mysql://x:secret@y/z"]
    assert cli.main(["search", "status", str(file), *elsewhere]) == 2
    printed = capsys.readouterr().err
    assert "not in 'mysql'" in printed
    assert "secret" not in printed


def test_what_is_there_is_not_trained_again(file, tmp_path, capsys):
    for _ in range(2):
        assert cli.main(["search", "run", str(file), "--out", str(tmp_path / "o")]) == 0
    results = search.load(tmp_path / "o")
    assert {trial.attempt for trial in results.trials} == {1}


def test_options_of_the_command_line_come_first(file, tmp_path, capsys):
    more = ["--sampler", "random", "--samples", "4", "--out", str(tmp_path / "o")]
    assert cli.main(["search", "run", str(file), *more]) == 0
    assert len(search.load(tmp_path / "o").trials) == 12


def test_a_plan_trains_nothing(file, capsys):
    assert cli.main(["search", "plan", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "trials:      18 (6 candidates)" in printed
    assert "40 in segments of 10" in printed


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_says_how_to_go_on(file, tmp_path, sent):
    slow = FILE.replace("steps=40", "steps=10**9").replace("= 10\n", "= 50_000\n")
    file.write_text(slow, encoding="utf-8")
    out = tmp_path / "out"
    with subprocess.Popen(
        [*PROGRAM, "run", str(file), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert eventually(lambda: any(t.steps for t in search.load(out).trials))
        program.send_signal(sent)
        rest = program.stderr.read()
    assert program.returncode == 130, rest
    assert "Traceback" not in rest
    assert "go on with: jaxsched search run" in rest
    kept = search.load(out)
    assert {trial.status.value for trial in kept.trials} == {"waiting"}
    assert any(trial.steps for trial in kept.trials)
    assert list((out / "states").iterdir())


def test_a_worker_needs_a_store(file, capsys):
    assert cli.main(["search", "worker", str(file)]) == 2
    assert "a worker needs --store, or the variable" in capsys.readouterr().err


def test_the_file_has_the_options_of_the_search(file, tmp_path, capsys):
    out = tmp_path / "said by the file"
    more = f"\nout = {str(out)!r}\nseeds = 2\nat = 'best'\nevaluate_every = 20\n"
    file.write_text(FILE + more, encoding="utf-8")
    arguments = ["run", str(file), "--metric", "distance", "--mode", "max"]
    assert cli.main(["search", *arguments]) == 0
    results = search.load(out)
    assert (len(results.trials), results.mode) == (12, "max")


def test_a_file_imports_the_files_beside_it(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "neighbour_of_demo.py").write_text("STEPS = 40\n", encoding="utf-8")
    beside = FILE.replace(
        "import jax\n", "import jax\nfrom neighbour_of_demo import *\n"
    )
    file.write_text(beside.replace("steps=40", "steps=STEPS"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    assert cli.main(["search", "plan", str(file)]) == 0
    assert "40 in segments of 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "line", "error"),
    [
        ("abs(x)", "abs(y)", "evaluate", "NameError: name 'y' is not defined"),
        ("import jax\n", "import jacks\n", "<module>", "No module named 'jacks'"),
        ("- schedule(t) * x", "- schedule(t) * x[3]", "step", "IndexError: Too many"),
    ],
)
def test_an_error_of_the_user_shows_the_lines_of_the_user(
    file, capsys, old, new, line, error
):
    file.write_text(FILE.replace(old, new), encoding="utf-8")
    assert cli.main(["search", "run", str(file), "--out", str(file.parent)]) == 2
    printed = capsys.readouterr().err
    assert f'File "{file}", line ' in printed
    assert f"in {line}" in printed
    assert new.strip() in printed
    assert error in printed
    assert "jaxsched/search" not in printed


def test_failed_trials_are_run_again(file, tmp_path, capsys):
    out = str(tmp_path / "o")
    unlucky = FILE.replace(
        "space = js.linear(",
        "space = js.custom(lambda t: float('nan')) * js.linear(",
    )
    file.write_text(unlucky.replace("task =", "metric, steps = 'distance', 40\ntask ="))
    assert cli.main(["search", "run", str(file), "--out", out]) == 0
    before = search.load(out)
    assert cli.main(["search", "run", str(file), "--out", out, "--retry"]) == 0
    again = search.load(out)
    attempts = [t.attempt for t in again.trials if t.status == "failed"]
    assert attempts == [2] * before.table["status"].tolist().count("failed")


def test_tables_of_trials_and_rankings_in_any_format(file, tmp_path, capsys):
    out = str(tmp_path / "o")
    assert cli.main(["search", "run", str(file), "--out", out]) == 0
    capsys.readouterr()
    assert cli.main(["search", "table", out, "--trials", "--rows", "1000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 19
    # Nothing is left out where there is no terminal.
    assert lines[0].split() == [*search.load(out).table]
    assert cli.main(["search", "table", out, "--rows", "1000"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    for ending, rows in (
        (".csv", 6),
        (".md", 7),
        (".json", 6),
        (".parquet", 6),
        (".xlsx", 6),
    ):
        table = tmp_path / f"table{ending}"
        assert cli.main(["search", "table", out, "--to", str(table)]) == 0
        assert table.stat().st_size > 100
        if ending in (".csv", ".md"):
            assert len(table.read_text().splitlines()) == rows + 1
    assert cli.main(["search", "table", out, "--to", "table.doc"]) == 2
    assert "ends in .csv, .parquet" in capsys.readouterr().err


def test_a_reader_that_has_enough_is_no_error(file, tmp_path):
    out = str(tmp_path / "o")
    assert cli.main(["search", "run", str(file), "--out", out]) == 0
    done = subprocess.run(
        f"{' '.join(PROGRAM)} table {out} --trials | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[0] == "trial"
    assert done.stderr == ""


def test_passwords_are_hidden_wherever_an_address_is_shown():
    shown = parsing.redacted("go on with: --store postgresql+psycopg://me:p%40ss@h:1/d")
    assert shown == "go on with: --store postgresql+psycopg://me:***@h:1/d"
    assert parsing.redacted("postgresql://me@host/d") == "postgresql://me@host/d"


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == importlib.metadata.version("jaxsched")


def eventually(true):
    """Waits until something is so, which may not even be there at first."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError, ValueError, search.StoreError):
            if true():
                return True
        time.sleep(0.2)
    return False
