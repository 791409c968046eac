"""What a trainer would learn from, checked before it trains: template, order of turns, ends, masks, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, roles
from curate.chat import Rendered
from curate.errors import INPUT, UserError
from curate.tokenizer import Tokenizer, pieces, trained_tokens

Flags = npt.NDArray[np.bool_]
# Context windows in common use.
WINDOWS = (128, 256, 512, 1024, 2048, 4096)
# Tokens of the row that is shown: a screen.
_SHOWN = 300


@dataclass(frozen=True)
class _Row:
    """What is known of one row.

    Args:
        written: its text, None where the template fails.
        cause: why.
        total: tokens.
        trained: tokens that are trained on.
        first: number of the first of these, -1 without any.
        starts: tokens for the beginning of a text (BOS) that stand at its beginning.
        whole: of these, all in the row.
        ended: whether what is trained ends with the end of a turn.
        prefix: whether the prompt, as a model is asked, is how the row begins; None where the template cannot write it.
    """

    written: Rendered | None
    cause: str = ""
    total: int = 0
    trained: int = 0
    first: int = -1
    starts: int = 0
    whole: int = 0
    ended: bool = False
    prefix: bool | None = None


def examine(rows: pl.DataFrame, coder: Tokenizer, *, seed: int = 0) -> dict[str, Any]:
    """Return what is right and wrong with rows for a trainer, as JSON data.

    Args:
        rows: `id` and `messages`.
        coder: the tokenizer of the model that is to be trained.
        seed: chooses the row that is shown.

    Raises:
        UserError: when there are no rows.
    """
    if not rows.height:
        raise UserError("masks", "there are no rows", "name a file with conversations", code=INPUT)
    found = list(_rows(rows, coder))
    able = [one for one in found if one.written is not None]
    first = np.array([one.first for one in found])
    total = np.array([one.total for one in found])
    written = np.array([one.written is not None for one in found])
    causes = Counter(one.cause for one in found if one.written is None)
    tokens, trained = int(total.sum()), sum(one.trained for one in found)
    return {
        "rows": rows.height,
        "tokenizer": {"name": coder.name, "sha256": coder.sha256, "vocabulary": coder.fast.get_vocab_size(),
                      "marker": coder.template.marker if coder.template else None,
                      "begins": _token(coder, "bos_token"), "ends": _token(coder, "eos_token")},
        "checks": _checks(rows, coder, found),
        "causes": [{"cause": cause, "rows": count} for cause, count in causes.most_common(5)],
        "tokens": tokens,
        "trained": trained,
        "trained_share": trained / tokens if tokens else None,
        "longest": max((one.total for one in able), default=0),
        "windows": [{"window": window, "cut": int((total > window).sum()),
                     "nothing_left": int((written & ((first < 0) | (first >= window))).sum())} for window in WINDOWS],
        "example": _example(rows, coder, found, seed),
    }  # fmt: skip


def _token(coder: Tokenizer, name: str) -> str | None:
    """Return a special token by its name in the configuration, as the template sees it."""
    return None if coder.template is None else coder.template.variables.get(name)


def _rows(rows: pl.DataFrame, coder: Tokenizer) -> Iterator[_Row]:
    """Give what is known of each row."""
    begins, marker = _token(coder, "bos_token"), coder.template.marker if coder.template else ""
    start = coder.fast.token_to_id(begins) if begins else None
    for turns in rows["messages"].to_list():
        try:
            written = coder.render(turns or [])
        except ValueError as error:
            yield _Row(None, str(error))
            continue
        encoding = coder.encode([written.text])[0]
        ids: Sequence[int] = encoding.ids
        ranges = trained_tokens(encoding.offsets, written.trained)
        leading = next((number for number, one in enumerate(ids) if one != start), len(ids))
        yield _Row(
            written,
            total=len(ids),
            trained=sum(end - begin for begin, end in ranges),
            first=ranges[0][0] if ranges else -1,
            starts=leading if start is not None else 0,
            whole=ids.count(start) if start is not None else 0,
            ended=bool(marker) and all(written.text[:end].endswith(marker) for _, end in written.trained),
            prefix=_prefix(turns or [], coder, written, ids),
        )


def _prefix(turns: Sequence[dict[str, Any]], coder: Tokenizer, written: Rendered, ids: Sequence[int]) -> bool | None:
    """Tell whether the prompt of the last trained turn is how the row begins, up to that turn, also in tokens."""
    last = max((number for number, turn in enumerate(turns) if turn["train"]), default=None)
    if last is None:
        return None
    try:
        prompt = coder.prompt(turns[:last])
    except ValueError:
        return None
    asked = coder.encode([prompt])[0].ids
    start = written.trained[-1][0]
    whole = written.text.startswith(prompt) and not written.text[len(prompt) : start].strip()
    return whole and list(ids[: len(asked)]) == list(asked)


def _checks(rows: pl.DataFrame, coder: Tokenizer, found: Sequence[_Row]) -> list[dict[str, Any]]:
    """Return each check with the number of rows that fail it, the first of them, and what it means."""
    able = np.array([one.written is not None for one in found])
    turns = roles.turns(rows.lazy())
    illegal = {kind: _of(rows, turns.filter(wrong)) for kind, wrong in roles.faults().items()}
    worst = max(illegal, key=lambda kind: int(illegal[kind].sum()))
    asked = np.array([one.prefix is False for one in found])
    checks = [
        ("chat template", np.full(rows.height, coder.template is None), "what ends an answer is never learned without"),
        ("all rows render", ~able, "the template refuses these rows, or leaves out or rewrites what is trained"),
        ("order of roles", np.logical_or.reduce(list(illegal.values())), worst),
        ("trained turns", ~_of(rows, turns.filter("train")), "rows of which nothing is trained"),
        ("only answers trained", _of(rows, turns.filter(pl.col("train") & (pl.col("role") != roles.ASSISTANT))),
         "a turn that is not the assistant's is trained"),
        ("one beginning of text", able & _begun_twice(coder, found), _beginnings(coder)),
        ("end of turn trained", able & ~np.array([one.ended for one in found]) & _of(rows, turns.filter("train")),
         "what is trained does not end with the marker at which a model stops"),
        ("marker is the end token", np.full(rows.height, not _stops(coder)),
         "generation stops at another token than the one that ends an answer"),
        ("no markers in the data", _marked(rows, coder), "a turn holds a special token as text: it is read as one"),
        ("prompt is a prefix", able & asked, "a model is asked otherwise than it was trained"),
    ]  # fmt: skip
    return [
        {"check": name, "ok": not wrong.any(), "rows": int(wrong.sum()), "means": means,
         "first": rows["id"][int(np.flatnonzero(wrong)[0])] if wrong.any() else None}
        for name, wrong, means in checks
    ]  # fmt: skip


def _of(rows: pl.DataFrame, turns: pl.DataFrame) -> Flags:
    """Return which rows have one of these turns, (n,) bool."""
    found = np.zeros(rows.height, dtype=bool)
    found[turns["row"].to_numpy()] = True
    return found


def _begun_twice(coder: Tokenizer, found: Sequence[_Row]) -> Flags:
    """Return which rows begin more than once, or not at all where the tokenizer by itself would begin them."""
    turnwise = _begins_turns(coder)
    wanted = _begins_texts(coder)
    return np.array([
        one.starts > 1 or (not turnwise and one.whole > 1) or (wanted and one.starts == 0) for one in found
    ])  # fmt: skip


def _begins_turns(coder: Tokenizer) -> bool:
    """Tell whether the token for the beginning begins each turn, as that of SmolLM2 does."""
    begins = _token(coder, "bos_token")
    if not begins or coder.template is None:
        return False
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    try:
        return coder.template.prompt(turns).count(begins) > 1
    except ValueError:
        return False


def _begins_texts(coder: Tokenizer) -> bool:
    """Tell whether the tokenizer sets a token for the beginning before any text, if it is let."""
    begins = _token(coder, "bos_token")
    ids = coder.fast.encode("a", add_special_tokens=True).ids
    return bool(begins) and ids[:1] == [coder.fast.token_to_id(begins)]


def _beginnings(coder: Tokenizer) -> str:
    if _begins_texts(coder):
        return "none or two; a trainer that adds special tokens to a rendered text sets a second one"
    return "rows that begin more than once"


def _stops(coder: Tokenizer) -> bool:
    """Tell whether the end-of-turn marker is, or holds, the token at which generation stops."""
    ends, marker = _token(coder, "eos_token"), coder.template.marker if coder.template else ""
    return ends is None or ends in marker


def _marked(rows: pl.DataFrame, coder: Tokenizer) -> Flags:
    """Return the rows of which a turn holds a special token as text."""
    names = [token.content for token in coder.fast.get_added_tokens_decoder().values() if token.special]
    if not names:
        return np.zeros(rows.height, dtype=bool)
    content = pl.element().struct.field("content").str.contains_any(names)
    held = rows.select(pl.col("messages").list.eval(content).list.any().fill_null(False))
    return held.to_series().to_numpy()


def _example(rows: pl.DataFrame, coder: Tokenizer, found: Sequence[_Row], seed: int) -> dict[str, Any] | None:
    """Return one row token by token, drawn by chance from those that fit on a screen if there are any."""
    able = [number for number, one in enumerate(found) if one.trained]
    if not able:
        return None
    order = dict(zip(able, chance.uniforms(seed, [rows["id"][number] for number in able], "masks"), strict=True))
    chosen = min(able, key=lambda number: (found[number].total > _SHOWN, order[number]))
    written = found[chosen].written
    assert written is not None  # it has trained tokens
    listed = pieces(written, coder.encode([written.text])[0], coder.special)
    return {"id": rows["id"][chosen], "cut": len(listed) > _SHOWN, "pieces": listed[:_SHOWN]}
