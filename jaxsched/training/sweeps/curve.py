"""The curve that is looked at: smoothed, without its ends, and one for many sweeps.

Of several sweeps it is the mean, until the first of them ends: where one is missing,
the mean falls, and for no other reason.
"""

import numpy as np

from .sweep import RangeTest


__all__ = ["TooShort", "curve_of"]


class TooShort(ValueError):
    """A curve has fewer points than a rule needs."""


def curve_of(
    result: RangeTest, skip_start: int | None, skip_end: int, needed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rates and the losses that a rule looks at.

    Args:
        result: Of one sweep, or of several.
        skip_start: How many points to leave out at the start; a tenth of the steps if
            not given.
        skip_end: How many points to leave out at the end of what was seen.
        needed: How many points the rule needs.

    Raises:
        TooShort: If there are fewer.
        ValueError: If a number to skip is negative, or if the sweeps are not at the
            same rates.
    """
    steps = np.shape(result.smoothed)[-1]
    rates = np.asarray(result.rates, float).reshape(-1, steps)
    losses = np.asarray(result.smoothed, float).reshape(-1, steps)
    if np.any(rates != rates[0]):
        raise ValueError("Sweeps can only be averaged where their rates are the same.")
    skip_start = steps // 10 if skip_start is None else skip_start
    if skip_start < 0 or skip_end < 0:
        raise ValueError(
            "`skip_start` and `skip_end` must be at least 0, "
            f"got {skip_start!r} and {skip_end!r}."
        )
    seen = min(int(np.min(result.diverged_at)) + 1, steps)
    looked_at = slice(skip_start, max(seen - skip_end, 0))
    finite = np.isfinite(losses[:, looked_at]).all(axis=0)
    # What comes after a gap is no part of the same curve.
    unbroken = int(np.append(finite, False).argmin())
    if unbroken < needed:
        raise TooShort(
            f"A curve of at least {needed} points is needed, and {unbroken} are left: "
            f"the sweep made {seen} of {steps} updates, of which the first "
            f"{skip_start} and the last {skip_end} are skipped."
        )
    kept = slice(skip_start, skip_start + unbroken)
    return rates[0, kept], losses[:, kept].mean(axis=0)
