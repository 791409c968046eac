"""Figures of a training, handed on to the trackers that transformers knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curate.errors import MISSING, UserError

FOLDER = "runs"
Tell = Callable[[dict[str, float]], None]


@contextmanager
def told(names: Sequence[str], folder: Path, total: int) -> Iterator[Tell]:
    """Yield what is told the line of each step.

    Args:
        names: of trackers, such as `tensorboard`; none for nothing.
        folder: of the training; trackers that write files do it in `runs` there.
        total: steps.

    Raises:
        UserError: status 5 for a tracker that transformers does not know or that is not installed.
    """
    if not names:
        yield lambda line: None
        return
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations import get_reporting_integration_callbacks
    from transformers.trainer_callback import CallbackHandler

    try:
        callbacks = [one() for one in get_reporting_integration_callbacks(list(names))]
    except (ValueError, RuntimeError, ImportError) as error:
        what = " ".join(str(error).split())[:200]
        raise UserError("--report-to", what, "install the tracker, or leave it out", code=MISSING) from error
    arguments = TrainingArguments(output_dir=str(folder / FOLDER), report_to=list(names))
    state, control = TrainerState(max_steps=total), TrainerControl()
    handler = CallbackHandler(callbacks, None, None, None, None)
    handler.on_train_begin(arguments, state, control)

    def tell(line: dict[str, float]) -> None:
        state.global_step = int(line["step"])
        handler.on_log(arguments, state, control, {name: line[name] for name in ("loss", "rate", "tokens")})

    try:
        yield tell
    finally:
        handler.on_train_end(arguments, state, control)
