"""What the schedules of Transformers share: what they refuse."""

from ..ported import ported


schedule = ported(
    last_epoch="a schedule has no position, call it with the step that you are at"
)
