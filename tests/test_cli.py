"""The command line: what it prints, writes and refuses."""

import csv
import signal
import subprocess
import sys

import numpy as np
import pytest

from jaxsched import cli, search
from jaxsched.report import noise_note, ranking, report, summary


TINY = ["--task", "digits", "--steps", "12", "--peaks", "0.01", "--warmups", "2"]


def results_of(scores, peaks=(0.1,)):
    names = ["cosine", "inverse_sqrt", "wsd"]
    candidates = search.grid(names, peaks=peaks, warmups=[5], steps=50)
    return search.Results(tuple(candidates), {"validation": np.array(scores)})


DISTINCT = results_of([[0.30, 0.31], [0.10, 0.11], [0.20, 0.22]])
TIED = results_of([[0.30, 0.41], [0.35, 0.30], [0.37, 0.33]])
LOSS = np.linspace(2, 1, 12) * np.ones((3, 2, 1))
DIVERGED = results_of([[0.30, 0.31], [np.nan, 0.11], [0.20, 0.22]])


def test_the_report_ranks_and_recommends():
    text = report(DISTINCT, measure="error of held-out pixels", rows=2, width=80)
    first, second = text.split("The best 2 of 3 candidates:")
    assert first.index("inverse_sqrt") < first.index("wsd") < first.index("cosine")
    assert "wsd" in second.split("Ranked")[0]
    assert "cosine" not in second.split("Ranked")[0]
    assert "Ranked by error of held-out pixels" in second
    best = "warmup_inverse_sqrt(0.1, warmup_steps=5, timescale=5)"
    assert second.endswith(f"Train with: {best}")


def test_the_report_says_when_differences_are_noise():
    assert "~" not in ranking(DISTINCT)
    assert "All others are worse by more than the noise" in noise_note(DISTINCT)
    assert ranking(TIED).count("~") == 3
    assert "Note: 2 candidates (~) cannot be told from the best" in noise_note(TIED)
    assert "inverse_sqrt, wsd" in noise_note(TIED)


def test_the_report_says_that_one_seed_says_nothing():
    assert "one seed" in noise_note(results_of([[1.0], [2.0], [3.0]]))


def test_what_diverged_is_marked_and_not_chosen():
    text = report(DIVERGED, width=80)
    assert "inverse_sqrt  diverged" in text
    assert "Diverged, and never chosen: 1 candidate." in text
    assert "Train with: wsd" in text
    text = report(results_of(np.full((3, 2), np.nan)), width=80)
    assert "Every candidate diverged" in text
    assert "Train with" not in text


def test_the_notes_fit_the_terminal():
    *notes, code = summary(TIED, width=40).splitlines()
    assert max(map(len, notes)) <= 40
    assert code == f"Train with: {TIED.best().code}"


@pytest.mark.parametrize("width", [20, 40, 60])
def test_the_table_fits_the_terminal(width):
    lines = ranking(DISTINCT, width=width).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= width
    assert len(set(map(len, ranking(DISTINCT).splitlines()))) == 1


def test_a_search_asks_for_what_it_was_told(monkeypatch, tmp_path, capsys):
    asked = []

    def run(train, candidates, **options):
        asked.append((candidates, options))
        options["progress"](3, 6)
        options["progress"](6, 6)
        return search.Results(DISTINCT.candidates, {**DISTINCT.metrics, "loss": LOSS})

    monkeypatch.setattr(cli, "run", run)
    output = tmp_path / "deep" / "folder"
    more = ["--seeds", "2", "--recipes", "linear", "wsd", "--output", str(output)]
    assert cli.main(["search", *TINY, *more]) == 0
    [(candidates, options)] = asked
    assert [(c.recipe, dict(c.hyperparameters)) for c in candidates] == [
        ("linear", {"peak": 0.01, "warmup_steps": 2}),
        ("wsd", {"peak": 0.01, "warmup_steps": 2}),
    ]
    assert (options["steps"], options["seeds"]) == (12, 2)
    printed = capsys.readouterr()
    assert printed.out.startswith("The best of each recipe")
    assert "Train with: warmup_inverse_sqrt" in printed.out
    assert "Training digits with 2 schedules and 2 seeds for 12 steps" in printed.err
    assert (output / "search.png").read_bytes().startswith(b"\x89PNG")


def test_a_search_in_which_all_diverge_draws_nothing(monkeypatch, tmp_path, capsys):
    diverged = results_of(np.full((3, 2), np.nan))
    monkeypatch.setattr(cli, "run", lambda *args, **kwargs: diverged)
    assert cli.main(["search", *TINY, "--output", str(tmp_path)]) == 0
    assert "Every candidate diverged" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "phto"], "no task 'phto', did you mean 'photo'? Known: photo, dig"),
        (["--recipes", "cosin"], "no recipe 'cosin', did you mean 'cosine'? Known: "),
        (["--peaks", "0.1", "high"], "argument --peaks: invalid float value: 'high'"),
        (["--peaks", "-1"], "A peak must be a finite number > 0, got -1.0."),
        (["--steps", "0"], "The number of steps must be positive, got 0."),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--seeds", "0"], "The number of seeds must be positive, got 0."),
        (["--steps", "9", "--warmups", "10"], "from 0 to 9 steps"),
        (["--output", f"{__file__}/below"], f"cannot write {__file__}/below"),
        (["--color", "red"], "unrecognized arguments: --color red"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert cli.main(["search", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("jaxsched: error: ")
    assert message in printed.err


def test_a_command_is_required(capsys):
    assert cli.main([]) == 2
    assert "required: COMMAND" in capsys.readouterr().err
    assert cli.main(["serch"]) == 2
    assert "invalid choice: 'serch'" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert cli.main(["search", *TINY, "--output", str(tmp_path)]) == 2
    assert 'pip install "jaxsched[search]"' in capsys.readouterr().err


def test_an_interrupt_ends_cleanly(monkeypatch, tmp_path, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupted)
    assert cli.main(["search", *TINY, "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err.endswith("jaxsched: interrupted\n")


def test_the_module_runs_as_a_program(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "jaxsched", "search", *TINY]
    done = subprocess.run(
        [*command, "--seeds", "1", "--output", str(tmp_path)],
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
        recipes = [row["recipe"] for row in csv.DictReader(file)]
    assert sorted(recipes) == sorted(search.RECIPES)


def test_ctrl_c_ends_the_program_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "jaxsched", "search", "--task", "digits"]
    long = ["--steps", "5000", "--seeds", "40", "--output", str(tmp_path)]
    with subprocess.Popen(
        [*command, *long, "--peaks", "0.01"], stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stderr.readline().startswith("Training digits")
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
    assert program.returncode == 130
    assert "Traceback" not in rest
    assert rest.endswith("jaxsched: interrupted\n")
