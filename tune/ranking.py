"""Log-likelihoods of answers under a language model: whole answers, the prompt they share computed once.

Ranking options by their first token alone is not offered: models that were not tuned on the form of the answer put
their first token elsewhere, and the verdict is another one (measured on SmolLM2: 0.15 against 0.45 of 150 intents).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from curate import losses
from curate.lm import LanguageModel
from curate.tokenizer import Tokenizer, trained_tokens
from tune import trees
from tune.trees import Text, Tree

Progress = Callable[[int, int], None]
Turns = Sequence[Mapping[str, Any]]
_ANSWER = {"role": "assistant"}
# Tokens of a batch of whole texts, and options of one row that go through the model together. Measured on one core
# with SmolLM2: 512 and 2,048 tokens are equally fast, and each option beyond some dozens only takes memory.
_BATCH_TOKENS, _BATCH_OPTIONS = 512, 64
# Positions that get logits at once: 49,152 words take 50 MB of float32 for 256 of them.
_BATCH_HEAD = 256


# States from which something is read, (k, d), and what: the place among them, the token, the group and the text.
_States = tuple[Any, list[tuple[int, int, int, int]]]
# Gives the last hidden states of trees, (n, longest, d).
States = Callable[[Sequence[Tree]], Any]
# A tree, and what is read from it: the place in it, the token, the group and the text.
_Job = tuple[Tree, list[tuple[int, int, int, int]]]


def texts(lm: LanguageModel, turns: Turns, answers: Sequence[str]) -> list[Text]:
    """Return the tokens of a conversation with each answer as its last turn; only the answer's own are scored.

    The conversation is rendered whole and tokenised once, as in training. A token is the answer's when any character
    of it is; the marker that ends a turn is not. Longer than the model's window, all of them lose as much of their
    beginning.

    Args:
        lm: the model.
        turns: the conversation; its last turn, the assistant's, is replaced.
        answers: the answers.

    Raises:
        ValueError: when the chat template cannot render it.
    """
    wholes = [losses.written(lm.coder, [*turns[:-1], {**_ANSWER, "content": answer}]) for answer in answers]
    found = []
    for coded, (_, span, _) in zip(lm.coder.encode([text for text, _, _ in wholes]), wholes, strict=True):
        ranges = trained_tokens(coded.offsets, [span])
        first, last = ranges[0] if ranges else (len(coded.ids), len(coded.ids))
        found.append(Text(tuple(coded.ids[:last]), first))
    return _windowed(lm, found)


def opening(coder: Tokenizer, turns: Turns) -> str:
    """Return a conversation as a text, up to where its last turn, the assistant's, begins.

    It is a prefix of what training rendered; what a template writes for its generation prompt may be another one.
    """
    text, (start, _), _ = losses.written(coder, [*turns[:-1], {**_ANSWER, "content": "x"}])
    return text[:start]


def prompt(lm: LanguageModel, turns: Turns) -> list[int]:
    """Return the tokens of a conversation up to where its last turn, the assistant's, begins."""
    return list(lm.coder.encode([opening(lm.coder, turns)])[0].ids)


def alone(lm: LanguageModel, sentence: str) -> Text:
    """Return a sentence by itself, all of it scored, after the token that begins a text."""
    return _windowed(lm, [Text(tuple(lm.coder.encode([sentence])[0].ids), 0)])[0]


def _windowed(lm: LanguageModel, found: Sequence[Text]) -> list[Text]:
    """Cut the beginnings to the window; what is scored from its first token on gets one before it."""
    if any(one.start == 0 for one in found):
        found = [Text((losses.begin(lm), *one.ids), one.start + 1) for one in found]
    cut = max(0, max(len(one.ids) for one in found) - lm.window)
    return [Text(one.ids[cut:], max(1, one.start - cut)) for one in found]


def likelihoods(
    lm: LanguageModel, groups: Sequence[Sequence[Text]], *, states: States | None = None,
    progress: Progress = lambda done, total: None,
) -> list[list[float]]:  # fmt: skip
    """Return the log-likelihood, in nats, of what is scored of each text.

    Texts of a group share a beginning, which goes through the model once; groups of like length go through together.
    The longest come first, so that what does not fit into memory fails at once. The head works in float32, on the
    positions that are read alone.

    Args:
        lm: the model.
        groups: the options of one row each, or single texts.
        states: another way through the model than the plain one.
        progress: told (texts done, texts in all) of those that have something to score.

    Returns:
        For each group a number for each of its texts; 0 for one that has nothing to score.
    """
    import torch

    found = [[0.0] * len(group) for group in groups]
    total = sum(one.scored > 0 for group in groups for one in group)
    through = states or (lambda some: trees.states(some, model=lm))
    waiting, positions, done = list[_States](), 0, 0
    with torch.inference_mode():
        for batch in _batches(_jobs(groups)):
            waiting.append(_gathered(through([tree for tree, _ in batch]), batch))
            positions += len(waiting[-1][0])
            done += sum(len(tree.lengths) for tree, _ in batch)
            if positions >= _BATCH_HEAD:
                _read(lm, waiting, found)
                waiting, positions = [], 0
            progress(done, total)
        _read(lm, waiting, found)
    return found


def _jobs(groups: Sequence[Sequence[Text]]) -> list[_Job]:
    """Return the trees of all groups, the longest first; a group of many options grows several."""
    jobs = []
    for group, members in enumerate(groups):
        scored = [text for text, one in enumerate(members) if one.scored]
        for low in range(0, len(scored), _BATCH_OPTIONS):
            part = scored[low : low + _BATCH_OPTIONS]
            tree, reads = trees.planted([members[text] for text in part])
            told = [(place, token, group, text) for text, own in zip(part, reads, strict=True) for place, token in own]
            jobs.append((tree, told))
    return sorted(jobs, key=lambda job: -len(job[0].ids))


def _batches(jobs: Sequence[_Job]) -> Iterator[Sequence[_Job]]:
    """Yield the trees that go through the model together."""
    place = 0
    while place < len(jobs):
        size = max(1, _BATCH_TOKENS // max(1, len(jobs[place][0].ids)))
        yield jobs[place : place + size]
        place += size


def _gathered(hidden: Any, batch: Sequence[_Job]) -> _States:
    """Return the states of a batch from which something is read, each once, and what is read from them."""
    where, reads = dict[tuple[int, int], int](), []
    for row, (_, told) in enumerate(batch):
        for place, token, group, text in told:
            reads.append((where.setdefault((row, place), len(where)), token, group, text))
    rows, places = [row for row, _ in where], [place for _, place in where]
    return hidden[rows, places], reads


def _read(lm: LanguageModel, waiting: Sequence[_States], found: list[list[float]]) -> None:
    """Add the log-likelihoods of the tokens that are read to the numbers of their texts."""
    import torch

    if not waiting:
        return
    states = torch.cat([one for one, _ in waiting])
    base, reads = 0, []
    for one, some in waiting:
        reads += [(base + place, token, group, text) for place, token, group, text in some]
        base += len(one)
    reads.sort()
    at = 0
    for low in range(0, len(states), _BATCH_HEAD):
        shares = torch.log_softmax(lm.head(states[low : low + _BATCH_HEAD]), dim=-1)
        while at < len(reads) and reads[at][0] < low + _BATCH_HEAD:
            place, token, group, text = reads[at]
            found[group][text] += float(shares[place - low, token])
            at += 1
