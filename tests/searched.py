"""Results made by hand: what a search would have found, had it been run."""

import dataclasses
import math

import numpy as np

import jaxsched as js
from jaxsched import search
from jaxsched.search import Objective, Space, Status, Trial, samplers


STEPS = 60
POINTS = (15, 30, 45, 60)


def families(peaks=(0.1, 0.2, 9.0), warmups=(0, 5)):
    """A space of three families, one of which lacks a dimension."""
    peak = search.choice(peaks)
    warmup = {"warmup_steps": search.choice(warmups), "total_steps": STEPS}
    return Space(
        search.one_of(
            js.warmup_cosine(peak, **warmup),
            js.warmup_linear(peak, **warmup),
            js.constant(peak),
        )
    )


def trial(number, params, seed, score, status=Status.COMPLETE, **facts):
    """A trial, with a score unless it is `None`."""
    metrics = {} if score is None else {"validation": np.float32(score)}
    known = {"steps": STEPS, "attempt": 1, "host": "here", "metrics": metrics} | facts
    return Trial(number, f"id {number}", params, seed, status=status, **known)


def of_trials(trials, space, metric="validation", mode="min"):
    """Results with these trials, which are of a space."""
    drawn = [space.redraw(one.params, one.seed) for one in trials]
    known = tuple(
        dataclasses.replace(one, family=candidate.family, code=candidate.code)
        for one, candidate in zip(trials, drawn, strict=True)
    )
    return search.Results(known, Objective(metric, mode), space.dimensions, space)


def history(end, points=POINTS):
    """A curve that comes down to `end`."""
    return {step: {"loss": end * STEPS / step} for step in points}


def of_scores(scores, space=None, **options):
    """Results with these `[candidates, seeds]`, of what is not finite as diverged."""
    scores = np.asarray(scores, float)
    names = [f"family{index}" for index in range(len(scores))]
    space = space or Space(dict.fromkeys(names, js.constant(0.1)))
    trials = [
        trial(
            row * len(across) + seed,
            candidate.params,
            seed,
            score,
            Status.COMPLETE if math.isfinite(score) else Status.DIVERGED,
        )
        for row, (candidate, across) in enumerate(
            zip(samplers.grid(space), scores, strict=True)
        )
        for seed, score in enumerate(across)
    ]
    return of_trials(trials, space, **options)


def found(seeds=2, space=None, watched=True, **options):
    """Results in which the peak of 9 diverged and more warmup is better."""
    space = space or families()
    trials = []
    for place, candidate in enumerate(samplers.grid(space)):
        params = candidate.params
        for seed in range(seeds):
            end = 1 + place / 10 - params.get("warmup_steps", 0) / 8 + seed / 100
            hot = params["peak"] == 9.0
            status = Status.DIVERGED if hot else Status.COMPLETE
            trials.append(
                trial(
                    len(trials),
                    params,
                    seed,
                    None if hot else end,
                    status,
                    steps=20 if hot else STEPS,
                    history=history(end, POINTS[: 1 if hot else 4]) if watched else {},
                )
            )
    return of_trials(trials, space, **options)
