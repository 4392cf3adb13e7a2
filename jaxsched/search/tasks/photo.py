"""The photograph: a network learns the colour at each place of it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from ...imports import extra
from ...schedule import Schedule
from ..results.results import Results
from ..search import run
from .problem import Data, Params, Problem, apply_dense, dense


SHRINK = 4
"""How many pixels a side are averaged to one: 106 by 160 of them remain."""

FREQUENCIES = 96
HIGHEST = 7.0
"""How many random frequencies describe a place, and their spread, in cycles."""

HIDDEN = (64, 64)


@dataclasses.dataclass(frozen=True, eq=False)
class Photo(Problem):
    """A photograph to paint.

    Attributes:
        original: The photograph, of shape `[height, width, 3]`, from 0 to 1.
        places: What the network sees of each pixel, of shape `[pixels, features]`.
    """

    original: np.ndarray
    places: jax.Array

    def paint(self, results: Results, key: jax.Array) -> dict[str, np.ndarray]:
        """Trains with the best and the worst schedule, and lets them paint."""
        top = results.top(len(results.candidates))
        if not top:
            return {}
        schedules = [top[0].schedule, top[-1].schedule]
        painted = run(
            self._picture, schedules, steps=self.steps, key=key, seeds=1, width=1
        )
        pictures = {"The photograph": self.original}
        for rank, candidate, trial in zip(
            ("best", "worst"), (top[0], top[-1]), painted.trials, strict=True
        ):
            error = float(trial.metrics["validation"])
            caption = f"With the {rank} schedule: {candidate.family}, error {error:.2g}"
            pictures[caption] = trial.metrics["picture"]
        return pictures

    def _picture(self, schedule: Schedule, key: jax.Array) -> dict[str, jax.Array]:
        params, _ = self.fit(schedule, key)
        colours = jnp.clip(apply_dense(params, self.places), 0.0, 1.0)
        return {
            "validation": self.loss(params, self.validation),
            "picture": colours.reshape(self.original.shape),
        }


def photo(steps: int) -> Photo:
    """Fits scikit-learn's photograph of a Chinese temple, a fifth of it held out.

    A network is given the place of a pixel as Fourier features, and learns its colour.

    Args:
        steps: For how many steps to train.

    Returns:
        The task.

    Raises:
        ImportError: If scikit-learn or Pillow is missing.

    Example:
        >>> from jaxsched import search
        >>> search.tasks.photo(steps=600).original.shape
        (106, 160, 3)

    Source:
        Tancik et al., 2020, *Fourier Features Let Networks Learn High Frequency
        Functions in Low Dimensional Domains*, https://arxiv.org/abs/2006.10739.
    """
    with extra("search"):
        from sklearn.datasets import load_sample_image  # noqa: PLC0415

        image = load_sample_image("china.jpg")
    original = _shrunk(np.asarray(image) / 255)
    generator = np.random.default_rng(0)
    places = _features(original.shape[0], original.shape[1], generator)
    colours = original.reshape(-1, 3)
    shuffled = generator.permutation(len(places))
    held_out, seen = np.split(shuffled, [len(places) // 5])
    return Photo(
        name="photo",
        measure="mean squared error of held-out pixels",
        initialize=_initialize,
        loss=_squared_error,
        training=Data(jnp.asarray(places[seen]), jnp.asarray(colours[seen])),
        validation=Data(jnp.asarray(places[held_out]), jnp.asarray(colours[held_out])),
        steps=steps,
        batch=192,
        original=original,
        places=jnp.asarray(places),
    )


def _shrunk(image: np.ndarray) -> np.ndarray:
    height, width = (size // SHRINK for size in image.shape[:2])
    blocks = image[: height * SHRINK, : width * SHRINK]
    blocks = blocks.reshape(height, SHRINK, width, SHRINK, 3)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _features(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """Random Fourier features of the centre of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    places = np.stack([rows.ravel(), columns.ravel()], axis=1) / width
    phases = 2 * np.pi * places @ generator.normal(0, HIGHEST, (2, FREQUENCIES))
    return np.concatenate([np.sin(phases), np.cos(phases)], axis=1)


def _initialize(key: jax.Array) -> Params:
    """Starts at a grey canvas, nearly."""
    *hidden, (weights, bias) = dense(key, [2 * FREQUENCIES, *HIDDEN, 3])
    return [*hidden, (weights / 10, bias + 0.5)]


def _squared_error(params: Params, data: Data) -> jax.Array:
    return jnp.mean((apply_dense(params, data.inputs) - data.targets) ** 2)
