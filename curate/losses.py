"""Losses of texts token by token under a small causal model: a text's numbers do not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.chat import Turns
from curate.errors import INPUT, UserError
from curate.lm import LanguageModel
from curate.tokenizer import BATCH, Tokenizer, trained_tokens

Losses = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]
_ANSWER = {"role": "assistant", "train": True}
# Batches have one of a few shapes, which a text's length alone decides, as in `embed` and for the same reason: a row of
# a product of matrices of one shape has the same bits wherever it stands. Measured with SmolLM2 on one core: batches of
# 256 tokens give 1,300 tokens a second in bf16, single texts of 64 tokens 870; larger batches waste more on few texts.
_STEP, _BATCH_TOKENS = 16, 256
# Positions that get logits at once, always so many: 49,152 words take 25 MB of float32 for 128 of them.
_HEAD = 128


@dataclass(frozen=True)
class Scored:
    """Tokens of which some are scored.

    Args:
        ids: all tokens.
        places: which are scored, ascending, none of them the first.
    """

    ids: Sequence[int]
    places: Sequence[int]

    @property
    def width(self) -> int:
        """Return how many tokens a model reads to score the last one, filled up to a step."""
        return -(-self.places[-1] // _STEP) * _STEP


@dataclass(frozen=True)
class Answer:
    """An answer in its conversation and by itself.

    Args:
        whole: the conversation; scored are the answer's tokens and, where `ended`, the first of the marker after it.
        alone: the answer after what begins a turn; scored are the same tokens without the marker.
        ended: whether the chat template sets a marker after the answer.
    """

    whole: Scored
    alone: Scored
    ended: bool


def written(coder: Tokenizer, turns: Turns) -> tuple[str, tuple[int, int], bool]:
    """Return a conversation as a text, where in it the last turn stands, and whether a marker ends that turn.

    Args:
        coder: writes it.
        turns: the last is the assistant's; what `train` says of the turns is not looked at.

    Raises:
        ValueError: when the chat template cannot write it.
    """
    answer = str(turns[-1]["content"])
    whole = coder.render([*({**turn, "train": False} for turn in turns[:-1]), {**_ANSWER, "content": answer}])
    start, end = whole.trained[0]
    shown = answer if whole.text.startswith(answer, start) else answer.strip()  # some templates trim
    stop = min(end, start + len(shown))
    return whole.text, (start, stop), stop < end


def answers(model: LanguageModel, conversations: Sequence[Turns | None], *, window: int) -> list[Answer | None]:
    """Return the last answer of each conversation as tokens; None where there is none, or none that can be scored.

    The conversation is rendered whole and tokenised once, as in training. The answer by itself has the very same tokens
    after the beginning of the assistant's turn.

    Args:
        model: whose tokens they are.
        conversations: turns, of which those after the last of the assistant's are left out.
        window: greatest number of tokens of a conversation; a longer one gives None.

    Raises:
        UserError: for a chat template that cannot write an answer by itself.
    """
    texts = [_text(model.coder, turns) for turns in conversations]
    given = [place for place, text in enumerate(texts) if text is not None]
    found: list[Answer | None] = [None] * len(texts)
    beginning = _beginning(model) if given else []
    for low in range(0, len(given), BATCH):
        part = given[low : low + BATCH]
        codes = model.coder.encode([str((texts[place] or ("",))[0]) for place in part])
        for place, coded in zip(part, codes, strict=True):
            text = texts[place]
            if text is not None and len(coded.ids) <= min(window, model.window):
                found[place] = _answer(coded, text, beginning)
    return found


def _text(coder: Tokenizer, turns: Turns | None) -> tuple[str, tuple[int, int], bool] | None:
    """Return what `written` does, None without an answer and where the template refuses."""
    last = max((place for place, turn in enumerate(turns or ()) if turn["role"] == "assistant"), default=None)
    if turns is None or last is None or not str(turns[last]["content"] or "").strip():
        return None
    try:
        return written(coder, turns[: last + 1])
    except ValueError:
        return None


def _beginning(model: LanguageModel) -> list[int]:
    """Return the tokens before an answer that answers nothing: what begins the turn, or else what begins a text."""
    if model.coder.template is None:
        return [begin(model)]
    for before in ([], [{"role": "user", "content": ""}]):  # some templates insist on a question
        try:
            text, (start, _), _ = written(model.coder, [*before, {"role": "assistant", "content": "x"}])
        except ValueError:
            continue
        ids = list(model.coder.encode([text[:start]])[0].ids)
        return ids or [begin(model)]
    what = "its chat template cannot write an answer without a question"
    raise UserError(f"model '{model.name}'", what, "take a model of the Llama or Qwen kind", code=INPUT)


def begin(model: LanguageModel) -> int:
    """Return the token that begins a text; where a model has none, as lm-eval does, the one that ends it."""
    found = model.tokenizer.bos_token_id
    return int((model.tokenizer.eos_token_id if found is None else found) or 0)


def _answer(coded: Any, text: tuple[str, tuple[int, int], bool], beginning: list[int]) -> Answer | None:
    """Return an answer's tokens in the two places, None where it has none."""
    ids, (_, span, ended) = list(coded.ids), text
    ranges = trained_tokens(coded.offsets, [span])
    if not ranges:
        return None
    first, after = ranges[0]
    ended = ended and after < len(ids)
    ids, start = (ids, first) if first else ([beginning[0], *ids], 1)  # nothing would come before the first token
    stop = start + after - first
    own = ids[start:stop]
    return Answer(
        Scored(ids[: stop + ended], range(start, stop + ended)),
        Scored([*beginning, *own], range(len(beginning), len(beginning) + len(own))),
        ended,
    )


def token_losses(
    model: LanguageModel, texts: Sequence[Scored], *, progress: Progress = lambda done, total: None
) -> list[Losses]:
    """Return the loss of each scored token, in nats, float64, an array for each text.

    The longest texts go first, so that what does not fit into memory fails at once. The head works in float32.

    Args:
        model: in any dtype.
        texts: any number; one without scored tokens gets an empty array.
        progress: told (texts done, texts in all).
    """
    import torch

    found = [np.zeros(len(one.places)) for one in texts]
    parts, reads, done = list[Any](), list[tuple[int, int]](), 0
    with torch.inference_mode():
        for members, width in _batches(texts):
            states = model.states(_filled(model, [texts[place] for place in members], width))
            for row, place in enumerate(members):
                parts.append(states[row, [at - 1 for at in texts[place].places]])
                reads += [(place, number) for number in range(len(texts[place].places))]
            done += len(members)
            while len(reads) >= _HEAD:
                waiting = torch.cat(parts)
                _read(model, waiting[:_HEAD], reads[:_HEAD], texts, found)
                parts, reads = [waiting[_HEAD:]], reads[_HEAD:]
            progress(done, len(texts))
        if reads:
            _read(model, torch.cat(parts), reads, texts, found)
    return found


def _batches(texts: Sequence[Scored]) -> Iterator[tuple[list[int], int]]:
    """Yield which texts go through the model together, and how many tokens wide they are made."""
    given = sorted((place for place, one in enumerate(texts) if len(one.places)), key=lambda p: -texts[p].width)
    for width, group in groupby(given, key=lambda place: texts[place].width):
        members, size = list(group), max(1, _BATCH_TOKENS // width)
        for low in range(0, len(members), size):
            yield members[low : low + size], width


def _filled(model: LanguageModel, texts: Sequence[Scored], width: int) -> Any:
    """Return token ids, (texts of a batch, width) int64, filled up on the right, where causal attention never looks."""
    import torch

    ids = np.full((max(1, _BATCH_TOKENS // width), width), model.pad, dtype=np.int64)
    for row, one in enumerate(texts):
        last = one.places[-1]
        ids[row, :last] = one.ids[:last]
    return torch.from_numpy(ids).to(model.model.device)


def _read(
    model: LanguageModel,
    states: Any,
    reads: Sequence[tuple[int, int]],
    texts: Sequence[Scored],
    found: Sequence[Losses],
) -> None:
    """Write down the losses of up to `_HEAD` tokens, filled up to so many."""
    import torch

    targets = [texts[place].ids[texts[place].places[number]] for place, number in reads]
    filled = torch.nn.functional.pad(states, (0, 0, 0, _HEAD - len(reads)))
    wanted = torch.tensor([*targets, *[0] * (_HEAD - len(reads))], device=states.device)
    losses = torch.nn.functional.cross_entropy(model.head(filled), wanted, reduction="none").double().tolist()
    for (place, number), loss in zip(reads, losses, strict=False):
        found[place][number] = loss
