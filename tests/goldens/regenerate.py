r"""Recomputes the values of `peers.json`, each by the peer that it came from.

`python tests/goldens/regenerate.py [peer ...]` says how many of them agree, and shows
the others; with `--write`, those get the value of the peer. Whatever is installed is
enough: the rest is skipped. For all that are packages, with what they import but
not all that they ask for, in an environment of their own (Python 3.11):

    pip install torch==2.13.0 transformers==5.23.0 optax==0.2.8 keras==3.15.1 \
        fastcore fastprogress fastdownload fasttransform pandas scikit-learn \
        addict termcolor yapf matplotlib opencv-python-headless lightning wrapt \
        hjson msgpack ninja psutil py-cpuinfo pydantic einops spmd_types==0.2.3 tyro \
        cached-path dataclass-extensions bettermap omegaconf hydra-core bitarray \
        sacrebleu httpx protobuf opt_einsum==3.3.0 equinox draccus aqtp tensorstore \
        gitpython humanfriendly
    pip install --no-deps timm==1.0.31 lrsched==0.5.0 pytorch-scheduler==0.2.2 \
        pytorch-optimizer==4.1.0 pytorch-warmup==0.2.0 levanter==1.2.dev1644 \
        haliax==1.4.dev453 megatron-core==0.16.1 torchtitan==0.3.0 \
        ai2-olmo-core==3.0.0 deepspeed==0.19.8 nemo-toolkit==3.0.0 mmengine==0.10.7 \
        fairseq==0.12.2 paddlepaddle==3.3.1 pytorch-ignite==0.5.5 fastai==2.8.12 \
        fvcore==0.1.5.post20221221 mxnet==1.9.1 axolotl==0.19.0
"""

import argparse
import dataclasses
import json
import logging
import math
import os
import sys
import warnings
from collections import Counter
from functools import partial
from importlib import import_module, metadata, util
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from unittest import mock


FILE = Path(__file__).with_name("peers.json")
DISTRIBUTIONS = {"nemo": "nemo-toolkit", "paddle": "paddlepaddle"}
FLOAT32 = {"optax", "keras", "levanter", "maxtext", "t5x", "scenic", "big_vision"}


# What a harness needs.


def hollow(*packages):
    """Enters packages without running them: that takes more than a schedule does."""
    for name in packages:
        if name not in sys.modules:
            sys.modules[name] = util.module_from_spec(util.find_spec(name))


def names(module):
    """Returns what a module defines, and its package."""
    package = module.partition(".")[0]
    return {**vars(import_module(module)), package: import_module(package)}


def make(call, known, **more):
    """Returns what a call makes."""
    return eval(call, {**known, **more})


def adam():
    """Returns an optimizer of one parameter, at rate 1."""
    torch = import_module("torch")
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(()))], 1.0)


def rate(scheduler):
    """Returns the rate of the optimizer that a scheduler has."""
    return scheduler.optimizer.param_groups[0]["lr"]


def before(advance, read, steps):
    """Returns what is read at some steps, when after each comes the next."""
    seen = []
    for _ in range(max(steps) + 1):
        seen.append(read())
        advance()
    return [seen[step] for step in steps]


def after(act, read, each):
    """Returns what is read after each act."""
    for one in each:
        act(one)
        yield read()


def updates(scheduler, steps, **arguments):
    """Returns the rates that updates have, if the scheduler steps after each."""

    def advance():
        scheduler.optimizer.step()
        scheduler.step(**arguments)

    return before(advance, partial(rate, scheduler), steps)


# The harnesses: each gets the call and the steps of a case, and returns the values.


def function(module, call, steps, unit=None):
    """The schedule is a function of the step, or of its share of a unit."""
    schedule = make(call, names(module))
    return [schedule(step / unit if unit else step) for step in steps]


def pytorch(module, call, steps):
    """The scheduler is one of PyTorch's, or like them."""
    made = make(call, names(module), optimizer=adam())
    if isinstance(made, list):
        return made
    if isinstance(made, tuple):
        scheduler, metrics = made
        return after(scheduler.step, partial(rate, scheduler), metrics)
    return [made() for _ in steps] if callable(made) else updates(made, steps)


def optax(call, steps):
    made = make(call, names("optax"))
    if callable(made):
        return map(made, steps)
    transformation, metrics = made
    gradient, values = import_module("jax.numpy").ones(()), []
    state = transformation.init(gradient)
    for metric in metrics:
        value, state = transformation.update(gradient, state, value=metric)
        values.append(value)
    return values


def timm(call, steps):
    hollow("timm")
    scheduler = make(call, names("timm.scheduler"), optimizer=adam())
    following = count(1)
    return before(
        lambda: scheduler.step(next(following)), partial(rate, scheduler), steps
    )


def pytorch_warmup(call, steps):
    scheduler = make(call, names("pytorch_warmup"), optimizer=adam())

    def advance():
        with scheduler.dampening():
            scheduler.optimizer.step()

    return before(advance, partial(rate, scheduler), steps)


def levanter(call, steps):
    hollow("levanter", "levanter.optim")
    config = names("levanter.optim.config")["AdamConfig"]

    def build(T=20, **settings):
        return config(learning_rate=1.0, **settings).lr_scheduler(T)

    return map(make(f"build({call})", {"build": build}), steps)


def megatron(call, steps):
    known = names("megatron.core.optimizer_param_scheduler")
    build = partial(
        known["OptimizerParamScheduler"],
        optimizer=adam(),
        init_lr=0.0,
        max_lr=1.0,
        min_lr=0.1,
        lr_warmup_steps=2,
        lr_decay_steps=10,
        start_wd=0.0,
        end_wd=0.0,
        wd_incr_steps=0,
        wd_incr_style="constant",
    )
    return updates(make(f"build({call})", {"build": build}), steps, increment=1)


def torchtitan(call, steps):
    known = names("torchtitan.components.optimizer.lr_scheduler")

    def build(total, warmup, decay, kind="linear"):
        config = known["LRSchedulersContainer"].Config(
            warmup_steps=warmup, decay_ratio=decay / total, decay_type=kind
        )
        return config.build(optimizers=[adam()], training_steps=total).schedulers[0]

    return updates(make(f"build({call})", {"build": build}), steps)


def olmo_core(call, steps):
    scheduler = make(call, names("olmo_core.optim.scheduler"))
    return [scheduler.get_lr(1.0, step, 10) for step in steps]


def deepspeed(call, steps):
    scheduler = make(call, names("deepspeed.runtime.lr_schedules"), optimizer=adam())
    (group,) = scheduler.optimizer.param_groups

    def read():
        cycles_momentum = call.startswith("OneCycle(")
        return group["betas"][0] if cycles_momentum else group["lr"]

    return before(scheduler.step, read, steps)


def nemo(call, steps):
    hollow("nemo", "nemo.core", "nemo.core.classes")
    import_module("nemo.core.classes.common")
    known = names("nemo.core.optim.lr_scheduler")
    call = call.replace("(", "(optimizer, ", 1)
    return updates(make(call, known, optimizer=adam()), steps)


def fairseq(call, steps):
    hollow("fairseq")
    import_module("torch")
    # Some of its defaults are not hashable, as Python 3.11 and later want them to be.
    hashable = partial(dataclasses.dataclass, unsafe_hash=True)
    with mock.patch("dataclasses.dataclass", hashable):
        import_module("fairseq.dataclass")
    registry = names("fairseq.optim.lr_scheduler")["LR_SCHEDULER_REGISTRY"]
    optimizer = import_module("fairseq.optim").FairseqOptimizer(None)
    optimizer._optimizer = adam()
    name, _, settings = call.partition("(")
    (scheduler,) = (each for each in registry.values() if each.__name__ == name)
    settings = make(f"Namespace(lr=[1.0], {settings}", vars(argparse))
    return map(scheduler(settings, optimizer).step_update, steps)


def paddle(call, steps):
    made = make(call, names("paddle.optimizer.lr"))
    if isinstance(made, tuple):
        scheduler, metrics = made
        return after(scheduler.step, scheduler, metrics)
    return before(made.step, made, steps)


def ignite(call, steps):
    known = names("ignite.handlers.param_scheduler")
    scheduler = make(call, known, optimizer=adam())
    return after(scheduler, partial(rate, scheduler), [None] * len(steps))


def mxnet(call, steps):
    hollow("mxnet")
    return function("mxnet.lr_scheduler", call, steps)


HARNESSES = {
    "torch": partial(pytorch, "torch.optim.lr_scheduler"),
    "transformers": partial(pytorch, "transformers.optimization"),
    "optax": optax,
    "keras": partial(function, "keras.optimizers.schedules"),
    "timm": timm,
    "lrsched": partial(function, "lrsched"),
    "pytorch-scheduler": partial(pytorch, "pytorch_scheduler"),
    "pytorch-optimizer": partial(pytorch, "pytorch_optimizer.lr_scheduler"),
    "pytorch-warmup": pytorch_warmup,
    "levanter": levanter,
    "megatron-core": megatron,
    "torchtitan": torchtitan,
    "ai2-olmo-core": olmo_core,
    "deepspeed": deepspeed,
    "nemo": nemo,
    "mmengine": partial(pytorch, "mmengine.optim.scheduler"),
    "fairseq": fairseq,
    "paddle": paddle,
    "pytorch-ignite": ignite,
    "fastai": partial(function, "fastai.callback.schedule", unit=2),
    "fvcore": partial(function, "fvcore.common.param_scheduler", unit=8),
    "mxnet": mxnet,
    "axolotl": partial(pytorch, "axolotl.utils.schedulers"),
}


# The comparison.


def installed(peer):
    """Returns the version of a peer that is here, if one is."""
    try:
        return metadata.version(DISTRIBUTIONS.get(peer, peer)).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def printed(value):
    """Returns a value as it is in the file: 12 digits, and infinities by name."""
    rounded = float(f"{float(value):.12g}")
    return rounded if math.isfinite(rounded) else str(rounded)


def agree(case, values):
    """Returns whether the values of a case are these, as far as they are exact."""
    close = partial(
        math.isclose,
        rel_tol=1e-6 if case["peer"] in FLOAT32 else 1e-11,
        abs_tol=1e-15,
    )
    pairs = zip(case["values"], values, strict=True)
    return all(close(float(old), float(new)) for old, new in pairs)


def outcome(case, write):
    """Returns what came of a case; shows what differs, and writes it if it should."""
    peer = case["peer"]
    version = installed(peer)
    if peer not in HARNESSES or version is None:
        repository = case["version"].startswith("repository")
        what = "a repository, not a package" if repository else "not installed"
        return f"skipped ({what})"
    try:
        values = [*map(printed, HARNESSES[peer](case["call"], case["steps"]))]
    except ImportError as error:
        return f"skipped ({error})"
    except Exception as error:
        return f"failed ({type(error).__name__}: {error})"
    if agree(case, values):
        return "agree"
    print(f"{peer} {version}, {case['case']}:")
    print(f"  the file has {case['values']}\n  the peer has {values}")
    if write:
        case.update(version=version, values=values)
    return "differ"


def main():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    warnings.simplefilter("ignore")
    logging.disable()
    goldens = json.loads(FILE.read_text())
    peers = groupby(goldens["cases"], itemgetter("peer"))
    peers = {peer: list(cases) for peer, cases in peers}

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", metavar="peer", help=", ".join(peers))
    parser.add_argument("--write", action="store_true", help="write what differs")
    options = parser.parse_args()
    if unknown := {*options.peers} - {*peers}:
        parser.error(f"there is no {' and no '.join(sorted(unknown))}")

    total = Counter()
    for peer in options.peers or peers:
        outcomes = Counter(outcome(case, options.write) for case in peers[peer])
        print(f"{peer}:", ", ".join(f"{n} {what}" for what, n in outcomes.items()))
        total += outcomes

    if options.write:
        lines = ",\n".join(f"    {json.dumps(case)}" for case in goldens["cases"])
        head = f'{{\n  "note": {json.dumps(goldens["note"])},\n  "cases": [\n'
        FILE.write_text(f"{head}{lines}\n  ]\n}}\n")
    sys.exit(any(what.startswith(("differ", "failed")) for what in total))


if __name__ == "__main__":
    main()
