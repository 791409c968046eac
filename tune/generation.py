"""Answers written by a language model: the likeliest, the same each time, or drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curate import chance
from curate.embed import quiet
from curate.lm import LanguageModel

# Prompts that are answered together. Measured on one core with SmolLM2: 13 tokens a second one by one, 41 in eights.
_BATCH = 8


@dataclass(frozen=True)
class Written:
    """An answer.

    Args:
        text: without the marker of its end.
        ended: whether the model ended it, rather than being cut off.
    """

    text: str
    ended: bool


def write(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int],
    *,
    temperature: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Written]:
    """Return the likeliest next token again and again, until the model ends its turn or reaches the limit.

    Args:
        lm: the model.
        prompts: token ids, see `ranking.prompt`; the longest lose their beginning to the model's window.
        limits: the most tokens of each answer.
        temperature: draws the next token instead, after dividing the logits by this.
        seed: of what is drawn; the draw also depends on which prompts are answered together.
        progress: told (answers written, answers in all).
    """
    order = sorted(range(len(prompts)), key=lambda place: (-limits[place], -len(prompts[place])))
    found: dict[int, Written] = {}
    for low in range(0, len(order), _BATCH):
        batch = order[low : low + _BATCH]
        most = min(max(limits[place] for place in batch), lm.window - 1)
        cut = [list(prompts[place])[-(lm.window - most) :] for place in batch]
        texts = _continued(lm, cut, most, temperature, chance.pick(seed, str(low), "answers", size=1 << 31))
        for place, ids in zip(batch, texts, strict=True):
            found[place] = _ended(lm, ids, limits[place])
        progress(len(found), len(prompts))
    return [found[place] for place in range(len(prompts))]


def ends(lm: LanguageModel) -> list[int]:
    """Return the tokens that end an answer: that of texts, and the marker of a turn where it is one token."""
    found = {lm.tokenizer.eos_token_id}
    if lm.coder.template is not None and lm.coder.template.marker:
        marker = lm.coder.encode([lm.coder.template.marker])[0].ids
        found |= {marker[0]} if len(marker) == 1 else set()
    return sorted(one for one in found if one is not None)


def _continued(
    lm: LanguageModel, prompts: Sequence[Sequence[int]], most: int, temperature: float | None, seed: int
) -> list[list[int]]:
    """Return the tokens that follow each prompt, filled up on the left: all of them end at the same place."""
    import torch
    from transformers import GenerationConfig

    width = max(map(len, prompts))
    gaps = [width - len(one) for one in prompts]
    ids = torch.tensor([[lm.pad] * gap + list(one) for gap, one in zip(gaps, prompts, strict=True)])
    mask = torch.tensor([[0] * gap + [1] * len(one) for gap, one in zip(gaps, prompts, strict=True)])
    # Values of their own for all that a model's own settings would fill in: penalties and samplers are another measure.
    settings = GenerationConfig(
        max_new_tokens=most, do_sample=temperature is not None, num_beams=1, pad_token_id=lm.pad,
        eos_token_id=ends(lm) or None, temperature=temperature or 1.0, top_k=0 if temperature else 50, top_p=1.0,
        repetition_penalty=1.0,
    )  # fmt: skip
    device = lm.model.device
    with torch.inference_mode(), quiet(), torch.random.fork_rng():
        torch.manual_seed(seed)
        out = lm.model.generate(input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings)
    return [row[width:] for row in out.tolist()]


def _ended(lm: LanguageModel, ids: Sequence[int], limit: int) -> Written:
    """Return the text up to the first token that ends it."""
    stops = set(ends(lm))
    length = next((place for place, token in enumerate(ids[:limit]) if token in stops), None)
    kept = ids[: limit if length is None else length]
    return Written(str(lm.tokenizer.decode(kept, skip_special_tokens=True)).strip(), length is not None)
