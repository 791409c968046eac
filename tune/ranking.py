"""Log-likelihoods of answers under a language model: whole answers, the prompt they share computed once.

Ranking options by their first token alone is not offered: models that were not tuned on the form of the answer put
their first token elsewhere, and the verdict is another one (measured on SmolLM2: 0.15 against 0.45 of 150 intents).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from curate import losses
from curate.lm import LanguageModel
from curate.tokenizer import Tokenizer, trained_tokens

Progress = Callable[[int, int], None]
Turns = Sequence[Mapping[str, Any]]
_ANSWER = {"role": "assistant"}
# Tokens of a batch of whole texts, and options of one row that go through the model together. Measured on one core
# with SmolLM2: 512 and 2,048 tokens are equally fast, and each option beyond some dozens only takes memory.
_BATCH_TOKENS, _BATCH_OPTIONS = 512, 64
# Positions that get logits at once: 49,152 words take 50 MB of float32 for 256 of them.
_BATCH_HEAD = 256


@dataclass(frozen=True)
class Text:
    """Tokens of which the last ones are scored.

    Args:
        ids: all tokens.
        start: the first that is scored, at least 1.
    """

    ids: tuple[int, ...]
    start: int

    @property
    def scored(self) -> int:
        """Return how many tokens are scored."""
        return len(self.ids) - self.start


# Hidden states of a few texts, (k, d), and what is read from them: the row, the token, the group and the text.
_States = tuple[Any, list[tuple[int, int, int, int]]]


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
    lm: LanguageModel, groups: Sequence[Sequence[Text]], *, progress: Progress = lambda done, total: None
) -> list[list[float]]:
    """Return the log-likelihood, in nats, of what is scored of each text.

    Texts of a group share a beginning, which goes through the model once; groups of one text go through in batches of
    like length. The longest come first, so that what does not fit into memory fails at once. The head works in
    float32, on the positions that are read alone.

    Args:
        lm: the model.
        groups: the options of one row each, or single texts.
        progress: told (texts done, texts in all).

    Returns:
        For each group a number for each of its texts; 0 for one that has nothing to score.
    """
    import torch

    found = [[0.0] * len(group) for group in groups]
    waiting, positions, done = list[_States](), 0, 0
    with torch.inference_mode():
        for members in _jobs(groups):
            states, reads = _shared(lm, groups, members) if _common(groups, members) else _whole(lm, groups, members)
            waiting.append((states, reads))
            positions += len(states)
            done += len(members)
            if positions >= _BATCH_HEAD:
                _read(lm, waiting, found)
                waiting, positions = [], 0
            progress(done, sum(map(len, groups)))
        _read(lm, waiting, found)
    return found


def _jobs(groups: Sequence[Sequence[Text]]) -> Iterator[list[tuple[int, int]]]:
    """Yield which texts go through the model together, as (group, text)."""
    for group in sorted(range(len(groups)), key=lambda place: -max((len(one.ids) for one in groups[place]), default=0)):
        if len(groups[group]) > 1:
            yield [(group, text) for text in range(len(groups[group]))]
    single = sorted((place for place, one in enumerate(groups) if len(one) == 1), key=lambda p: -len(groups[p][0].ids))
    while single:
        size = max(1, _BATCH_TOKENS // len(groups[single[0]][0].ids))
        yield [(place, 0) for place in single[:size]]
        single = single[size:]


def _common(groups: Sequence[Sequence[Text]], members: Sequence[tuple[int, int]]) -> int:
    """Return how many tokens before what is scored the texts of one group share; 0 for texts of several groups."""
    if members[0][0] != members[-1][0] or len(members) == 1:
        return 0
    group = groups[members[0][0]]
    first, least = group[0].ids, min(one.start for one in group)
    return next((place for place in range(least) if any(one.ids[place] != first[place] for one in group)), least)


def _whole(lm: LanguageModel, groups: Sequence[Sequence[Text]], members: Sequence[tuple[int, int]]) -> _States:
    """Return the states of whole texts, filled up on the right."""
    import torch

    chosen = [groups[group][text] for group, text in members]
    hidden = lm.states(lm.padded([one.ids for one in chosen]))
    parts, reads, place = [], [], 0
    for row, ((group, text), one) in enumerate(zip(members, chosen, strict=True)):
        parts.append(hidden[row, one.start - 1 : len(one.ids) - 1])
        reads += [(place + number, token, group, text) for number, token in enumerate(one.ids[one.start :])]
        place += one.scored
    return torch.cat(parts), reads


def _shared(lm: LanguageModel, groups: Sequence[Sequence[Text]], members: Sequence[tuple[int, int]]) -> _States:
    """Return the states of texts with one beginning, which is computed once; a last token needs no state of its own."""
    import torch

    group, common = members[0][0], _common(groups, members)
    chosen = groups[group]
    begun = lm.model.base_model(input_ids=lm.padded([chosen[0].ids[:common]]), use_cache=True)
    parts = [begun.last_hidden_state[0, -1:]]  # from it the next token of all texts is read
    reads, place = list[tuple[int, int, int, int]](), 1
    longer = [text for text, one in enumerate(chosen) if len(one.ids) > common + 1]
    for low in range(0, len(longer), _BATCH_OPTIONS):
        batch = longer[low : low + _BATCH_OPTIONS]
        cache = deepcopy(begun.past_key_values)
        cache.batch_repeat_interleave(len(batch))
        rest = lm.padded([chosen[text].ids[common:-1] for text in batch])
        hidden = lm.model.base_model(input_ids=rest, past_key_values=cache, use_cache=True).last_hidden_state
        for row, text in enumerate(batch):
            length = len(chosen[text].ids) - common - 1
            parts.append(hidden[row, :length])
            tokens = enumerate(chosen[text].ids[common + 1 :], common + 1)
            reads += [(place + at - common - 1, token, group, text) for at, token in tokens if at >= chosen[text].start]
            place += length
    for text, one in enumerate(chosen):
        if one.start == common and one.scored:
            reads.append((0, one.ids[common], group, text))
    return torch.cat(parts), reads


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
