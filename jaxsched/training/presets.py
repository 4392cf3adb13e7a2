"""Schedules by the task: what the papers trained with, and their numbers.

Each takes the horizon first, and has the published numbers as defaults. Lengths are
those of a horizon, plain numbers; rates may be traced.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from ..curves import Cosine, Curve, Sqrt
from ..errors import echoes, named
from ..leaves import linear, ramp
from ..numerics import host
from ..recipes import multi_step, slanted_triangular, warmup_cosine, warmup_linear, wsd
from ..recipes.horizon import rest
from ..schedule import Chain, Constant, Schedule, constant
from ..transforms import staircase, switch, warmup
from ..types import Scalar
from .horizon import Horizon, as_horizon


__all__ = [
    "bert_finetuning",
    "bert_pretraining",
    "gpt",
    "llm_wsd",
    "ppo",
    "resnet_imagenet",
    "sac",
    "td3",
    "transfer_learning",
    "vit",
]


F = TypeVar("F", bound=Callable[..., Any])

GPT_PEAKS = {
    "125M": 6.0e-4,
    "350M": 3.0e-4,
    "760M": 2.5e-4,
    "1.3B": 2.0e-4,
    "2.7B": 1.6e-4,
    "6.7B": 1.2e-4,
    "13B": 1.0e-4,
    "175B": 0.6e-4,
}


def preset(function: F) -> F:
    """Makes the errors of a preset show its call, and checks that it has a horizon."""

    @functools.wraps(function)
    def checked(horizon: Horizon, *args: Any, **kwargs: Any) -> Any:
        return function(as_horizon(horizon), *args, **kwargs)

    return cast(F, echoes(checked))


@preset
def resnet_imagenet(
    horizon: Horizon,
    *,
    start: Scalar = 0.1,
    boundaries: Sequence[float] = (30.0, 60.0, 90.0),
    factor: Scalar = 0.1,
    batch_size: Scalar = 256.0,
    warmup_epochs: float = 5.0,
) -> Schedule:
    """Trains a ResNet on ImageNet: a tenth of the rate after each 30 epochs.

    He et al. divide "when the error plateaus"; 30 epochs are those of the reference
    implementation of PyTorch. Goyal et al. train 90 epochs, with boundaries at 30, 60
    and 80, and a rate in proportion to the batch, warmed up to if that is large.

    Args:
        horizon: How long training is, with its steps per epoch.
        start: The rate at step 0, and until the first boundary with a batch of 256.
        boundaries: The epochs at which the rate is multiplied, increasing.
        factor: What it is multiplied by.
        batch_size: How many samples an update learns from.
        warmup_epochs: How many epochs the rate takes to `start * batch_size / 256`, if
            that is more than `start`.

    Returns:
        A schedule that lasts until the last boundary.

    Raises:
        ValueError: If the horizon does not reach the last boundary.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> horizon = Horizon(epochs=90, dataset_size=1_281_167, batch_size=256)
        >>> lr = presets.resnet_imagenet(horizon)
        >>> [round(float(lr(horizon.epochs(e))), 4) for e in (0, 29.9, 30, 60, 90)]
        [0.1, 0.1, 0.01, 0.001, 0.0001]
        >>> large = Horizon(epochs=90, dataset_size=1_281_167, batch_size=8192)
        >>> lr = presets.resnet_imagenet(large, batch_size=8192)
        >>> [round(float(lr(large.epochs(e))), 2) for e in (0, 5, 29, 30)]
        [0.1, 3.2, 3.2, 0.32]

    Source:
        He et al., 2016, *Deep Residual Learning*, section 3.4,
        https://arxiv.org/abs/1512.03385; Goyal et al., 2017, *Accurate, Large Minibatch
        SGD*, sections 2.2 and 5.1, https://arxiv.org/abs/1706.02677.
    """
    peak = start * batch_size / 256
    steps = [horizon.epochs(epoch) for epoch in boundaries]
    _require(horizon, max(steps, default=0.0), "boundaries")
    decay = multi_step(peak, boundaries=steps, factor=factor)
    first = host(start, peak).minimum(start, peak)
    return warmup(decay, horizon.epochs(warmup_epochs), join="overlay", start=first)


@preset
def vit(
    horizon: Horizon,
    *,
    peak: Scalar = 3e-3,
    warmup_steps: float = 10_000.0,
    end: Scalar = 0.0,
    curve: Curve = Cosine(),
) -> Chain:
    """Trains a vision transformer: a linear warmup, then a cosine or a line to 0.

    The defaults are those for ImageNet: 300 epochs, in batches of 4096. The peak is
    1e-3 for ImageNet-21k, and from 8e-4 (ViT-B) to 3e-4 (ViT-H) for JFT-300M; for both,
    the curve is `curves.Linear()`.

    Args:
        horizon: How long training is.
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        end: The rate in the end; by the reference implementation it is 0 for a cosine,
            and 1e-5 for a line.
        curve: The shape of the decay, from `jaxsched.curves`.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If the warmup is longer than the horizon.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> horizon = Horizon(epochs=300, dataset_size=1_281_167, batch_size=4096)
        >>> lr = presets.vit(horizon)
        >>> [round(float(lr(step)), 4) for step in (0, 5000, 10_000, 51_950, 93_900)]
        [0.0, 0.0015, 0.003, 0.0015, 0.0]

    Source:
        Dosovitskiy et al., 2021, *An Image is Worth 16x16 Words*, table 3,
        https://arxiv.org/abs/2010.11929.
    """
    decay_steps = rest(horizon.total_steps, warmup_steps=warmup_steps)
    return linear(0.0, peak, warmup_steps) >> ramp(peak, end, decay_steps, curve)


@preset
def bert_pretraining(
    horizon: Horizon, *, peak: Scalar = 1e-4, warmup_steps: float = 10_000.0
) -> Chain:
    """Pretrains BERT: a linear warmup, then a line to 0.

    Args:
        horizon: How long training is: a million steps, with batches of 256 sequences.
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If the warmup is longer than the horizon.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> lr = presets.bert_pretraining(Horizon(total_steps=1_000_000))
        >>> [round(float(lr(step)), 6) for step in (0, 5000, 10_000, 505_000, 1e6)]
        [0.0, 5e-05, 0.0001, 5e-05, 0.0]

    Source:
        Devlin et al., 2019, *BERT*, appendix A.2, https://arxiv.org/abs/1810.04805.
    """
    return warmup_linear(
        peak, warmup_steps=warmup_steps, total_steps=horizon.total_steps
    )


@preset
def bert_finetuning(
    horizon: Horizon, *, peak: Scalar = 2e-5, warmup_fraction: float = 0.1
) -> Chain:
    """Fine-tunes BERT: a short linear warmup, then a line to 0.

    Args:
        horizon: How long training is: 2, 3 or 4 epochs, with batches of 16 or 32.
        peak: The highest rate; the paper tries 2e-5, 3e-5 and 5e-5.
        warmup_fraction: Which part of the training the warmup takes, from 0 to 1; a
            tenth by the reference implementation.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If `warmup_fraction` is not from 0 to 1.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> horizon = Horizon(epochs=3, dataset_size=3_200, batch_size=32)
        >>> lr = presets.bert_finetuning(horizon)
        >>> [round(float(lr(step)), 7) for step in (0, 15, 30, 165, 300)]
        [0.0, 1e-05, 2e-05, 1e-05, 0.0]

    Source:
        Devlin et al., 2019, *BERT*, appendix A.3, https://arxiv.org/abs/1810.04805.
    """
    return warmup_linear(
        peak,
        warmup_steps=horizon.fraction(warmup_fraction),
        total_steps=horizon.total_steps,
    )


@preset
def gpt(
    horizon: Horizon,
    *,
    size: str = "175B",
    peak: Scalar | None = None,
    warmup_tokens: float = 375e6,
    decay_tokens: float = 260e9,
    end_fraction: Scalar = 0.1,
) -> Chain:
    """Pretrains GPT-3: a linear warmup, then a cosine to a tenth, and that held.

    Args:
        horizon: How long training is, with its tokens per step: 300e9 tokens.
        size: Which model's peak, by its parameters: "125M", "350M", "760M", "1.3B",
            "2.7B", "6.7B", "13B" or "175B".
        peak: The highest rate, if it is none of theirs.
        warmup_tokens: How many tokens the warmup takes; may be 0.
        decay_tokens: How many tokens it takes to the lowest rate, the warmup included;
            as many as the horizon has if that is less.
        end_fraction: Which part of the peak the lowest rate is.

    Returns:
        A schedule as long as warmup and decay are.

    Raises:
        ValueError: If there is no such model, or the warmup is longer than the rest.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> horizon = Horizon(tokens=300e9, tokens_per_step=0.5e6)
        >>> lr = presets.gpt(horizon, size="125M")
        >>> [round(float(lr(horizon.tokens(t))), 6) for t in (0, 375e6, 260e9, 300e9)]
        [0.0, 0.0006, 6e-05, 6e-05]

    Source:
        Brown et al., 2020, *Language Models are Few-Shot Learners*, table 2.1 and
        appendix B, https://arxiv.org/abs/2005.14165.
    """
    highest = named("model", size, GPT_PEAKS) if peak is None else peak
    return warmup_cosine(
        highest,
        warmup_steps=horizon.tokens(warmup_tokens),
        total_steps=min(horizon.tokens(decay_tokens), horizon.total_steps),
        end=highest * end_fraction,
    )


@preset
def llm_wsd(
    horizon: Horizon,
    *,
    peak: Scalar = 1e-3,
    warmup_steps: float = 300.0,
    decay_fraction: float = 0.2,
    end: Scalar = 0.0,
    curve: Curve = Sqrt(),
) -> Chain:
    """Pretrains a language model: a short warmup, the peak held, and a cooldown.

    What is best for the peak depends on the model: 1e-3 is that of the reference
    implementation, for 210 million parameters, and 8e-4 that of the paper for a
    billion. MiniCPM cools down in the last tenth, by factors of a half.

    Args:
        horizon: How long training is.
        peak: The rate that is held.
        warmup_steps: How many steps the warmup takes; the paper takes 1000 to 3000 if
            training is longer than 100,000.
        decay_fraction: Which part of the training the cooldown takes, at its end.
        end: The rate in the end.
        curve: The shape of the cooldown, from `jaxsched.curves`; the paper found this
            one, called 1-sqrt, better than a line.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If warmup and cooldown are longer than the horizon.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> lr = presets.llm_wsd(Horizon(total_steps=20_000))
        >>> [round(float(lr(step)), 5) for step in (0, 300, 16_000, 17_000, 20_000)]
        [0.0, 0.001, 0.001, 0.0005, 0.0]

    Source:
        Hägele et al., 2024, *Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations*, section 3.2 and appendix A.1,
        https://arxiv.org/abs/2405.18392; Hu et al., 2024, *MiniCPM*, section 4,
        https://arxiv.org/abs/2404.06395.
    """
    return wsd(
        peak,
        warmup_steps=warmup_steps,
        decay_steps=horizon.fraction(decay_fraction),
        total_steps=horizon.total_steps,
        end=end,
        curve=curve,
    )


@preset
def transfer_learning(
    horizon: Horizon,
    *,
    groups: Sequence[str],
    peak: Scalar = 0.01,
    layer_factor: Scalar = 2.6,
    unfreeze_epochs: float = 1.0,
    cut_fraction: Scalar = 0.1,
    ratio: Scalar = 32.0,
) -> dict[str, Schedule]:
    """Fine-tunes a pretrained model: slower from layer to layer, and one at a time.

    The last group of layers trains from the first step; each group before it has a
    lower rate, and one of exactly 0 until it is unfrozen. The paper leaves open whether
    each stage has a triangle of its own; here is one, over the whole training.

    Args:
        horizon: How long training is, with its steps per epoch.
        groups: The names of the groups of layers, from the input to the output.
        peak: The highest rate of the last group.
        layer_factor: How many times lower the rate of each group is than the next's.
        unfreeze_epochs: How many epochs until one more group is unfrozen; 0 unfreezes
            all from the first step.
        cut_fraction: Which part of the training the rates rise, from 0 to 1.
        ratio: How many times lower than the peak the first and last rates are.

    Returns:
        The schedule of each group, by name: labels of `optax.multi_transform`.

    Raises:
        ValueError: If there are no groups, or two of the same name, or training is over
            before the first group is unfrozen.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> horizon = Horizon(epochs=10, steps_per_epoch=100)
        >>> lrs = presets.transfer_learning(horizon, groups=["embed", "body", "head"])
        >>> {name: round(float(lr(100)), 6) for name, lr in lrs.items()}
        {'embed': 0.0, 'body': 0.003846, 'head': 0.01}
        >>> {name: round(float(lr(1000)), 6) for name, lr in lrs.items()}
        {'embed': 4.6e-05, 'body': 0.00012, 'head': 0.000312}

    Source:
        Howard & Ruder, 2018, *ULMFiT*, sections 3.2 and 3.3,
        https://arxiv.org/abs/1801.06146.
    """
    if isinstance(groups, str) or not groups or len(set(groups)) < len(groups):
        raise ValueError(f"`groups` must be a list of different names, got {groups!r}.")
    last = horizon.epochs(unfreeze_epochs * (len(groups) - 1))
    _require(horizon, last + 1, "groups")
    schedules: dict[str, Schedule] = {}
    for above, group in enumerate(reversed(groups)):
        triangle = slanted_triangular(
            peak / layer_factor**above,
            total_steps=horizon.total_steps,
            cut_fraction=cut_fraction,
            ratio=ratio,
        )
        frozen = horizon.epochs(unfreeze_epochs * above)
        schedules[group] = switch([0.0, triangle], boundaries=[frozen])
    return {group: schedules[group] for group in groups}


@preset
def ppo(
    horizon: Horizon,
    *,
    peak: Scalar = 3e-4,
    end: Scalar = 0.0,
    epochs: float = 10.0,
    minibatches: float = 32.0,
) -> Schedule:
    """Trains a policy with PPO: a line to 0, held in each iteration.

    The paper gives 3e-4 for MuJoCo, and 2.5e-4 that falls linearly for Atari; it falls
    for both by the reference implementation, OpenAI's baselines, whose minibatches of
    MuJoCo are 32 of 64 samples.

    Args:
        horizon: How long training is, in updates: iterations, times epochs, times
            minibatches.
        peak: The rate of the first iteration.
        end: The rate that would follow the last iteration.
        epochs: How many passes an iteration makes over its samples.
        minibatches: How many updates each of them makes.

    Returns:
        A schedule as long as the horizon, whose rate changes once per iteration.

    Raises:
        ValueError: If the horizon has not one iteration.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> lr = presets.ppo(Horizon(total_steps=100 * 10 * 32))
        >>> [round(float(lr(step)), 6) for step in (0, 319, 320, 31_999)]
        [0.0003, 0.0003, 0.000297, 3e-06]

    Source:
        Schulman et al., 2017, *Proximal Policy Optimization Algorithms*, tables 3 and
        5, https://arxiv.org/abs/1707.06347.
    """
    iteration = horizon.steps(epochs * minibatches)
    _require(horizon, iteration, "epochs * minibatches")
    return staircase(linear(peak, end, horizon.total_steps), iteration)


@preset
def sac(horizon: Horizon, *, value: Scalar = 3e-4) -> Constant:
    """Trains with soft actor-critic: the same rate throughout, for all its networks.

    Args:
        horizon: How long training is.
        value: The rate.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If the rate is not finite.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> presets.sac(Horizon(total_steps=1_000_000))
        Constant(level=0.0003, steps=1000000.0)

    Source:
        Haarnoja et al., 2018, *Soft Actor-Critic*, appendix D,
        https://arxiv.org/abs/1801.01290.
    """
    return constant(value, steps=horizon.total_steps)


@preset
def td3(horizon: Horizon, *, value: Scalar = 1e-3) -> Constant:
    """Trains with twin delayed DDPG: the same rate throughout, for actor and critics.

    The paper has 1e-3; its reference implementation had it too, and has 3e-4 today.

    Args:
        horizon: How long training is.
        value: The rate.

    Returns:
        A schedule as long as the horizon.

    Raises:
        ValueError: If the rate is not finite.

    Example:
        >>> from jaxsched.training import Horizon, presets
        >>> presets.td3(Horizon(total_steps=1_000_000))
        Constant(level=0.001, steps=1000000.0)

    Source:
        Fujimoto et al., 2018, *Addressing Function Approximation Error in Actor-Critic
        Methods*, section 6.1, https://arxiv.org/abs/1802.09477.
    """
    return constant(value, steps=horizon.total_steps)


def _require(horizon: Horizon, steps: float, what: str) -> None:
    """Raises an error if something takes more steps than there are."""
    if steps > horizon.total_steps:
        raise ValueError(
            f"`{what}` need {steps:.12g} steps, and `{horizon}` has "
            f"{horizon.total_steps:.12g}."
        )
