"""Conversations to token ids, and which of them a model is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from curate import chance, formats, read
from curate.errors import INPUT, UserError
from curate.folders import make
from curate.rundir import MANIFEST, RunDir, write_text
from curate.schema import MESSAGE, canonical, digest
from curate.tokenizer import BATCH, Tokenizer, trained_tokens

# Records looked at to tell the format of a file, as when a recipe says `auto`.
_PROBE = 1000
# Batches that are sorted by length together. Share of tokens that are no filling, 3,111 rows of Alpaca, 8 a batch:
# 0.56 for 1, 0.86 for 8, 0.91 for 16, 0.97 for 64; of few rows, 64 would sort a whole epoch.
_SORTED = 16


@dataclass(frozen=True)
class Example:
    """One conversation as a model reads it.

    Args:
        id: of its row; of a row that the mix repeats with the number of the copy.
        ids: token ids, cut at the window and after the last trained one, which nothing that follows could change.
        trained: (n,) bool, which tokens are to be predicted; never the first, which nothing comes before.
    """

    id: str
    ids: list[int]
    trained: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Encoded:
    """All conversations of a mix.

    Args:
        examples: one per row and copy, in the order of the rows.
        truncated: how many were cut at the window.
    """

    examples: list[Example]
    truncated: int

    @property
    def tokens(self) -> int:
        """Return the tokens of all examples."""
        return sum(len(one.ids) for one in self.examples)

    @property
    def trained(self) -> int:
        """Return the tokens that are trained on."""
        return int(sum(one.trained.sum() for one in self.examples))


def rows(source: pl.DataFrame | str | Path) -> pl.DataFrame:
    """Return rows with at least `id` and `messages`.

    Args:
        source: rows as they are; a run directory, of which the mix is taken; or a file: rows of ours as Parquet, or
            instruction data of any format that `curate audit` reads.

    Raises:
        UserError: when it cannot be read, or a record in it cannot.
    """
    if isinstance(source, pl.DataFrame):
        return source if "id" in source.columns else _identified(source["messages"].to_list())
    path = Path(source)
    if (path / MANIFEST).is_file():
        return RunDir.open(path).mix()
    if path.suffix == ".parquet" and path.is_file():
        schema = pl.read_parquet_schema(path)
        if schema.get("messages") == pl.List(MESSAGE) and "id" in schema:
            return pl.read_parquet(path, glob=False)
    return _identified(_conversations(path))


def _identified(messages: Sequence[Any]) -> pl.DataFrame:
    """Return conversations as rows, each under the hash of its turns and its number among equal ones."""
    seen: Counter[str] = Counter()
    names = []
    for turns in messages:
        name = digest(canonical(turns))
        names.append(digest(name, str(seen[name])))
        seen[name] += 1
    return pl.DataFrame({"id": names, "messages": messages}, schema={"id": pl.String, "messages": pl.List(MESSAGE)})


def _conversations(path: Path) -> list[list[dict[str, Any]]]:
    """Return the turns of all records of a file."""
    if not path.is_dir():
        read.require_readable(path)
    elif not any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        raise UserError(str(path), "is neither a run directory nor a file", "name a run or a data file", code=INPUT)
    sample = [item.data for item in islice(read.read(path), _PROBE) if isinstance(item, read.Record)]
    form = formats.detect(sample)
    if form is None:
        what = "is in no instruction format that is known" if sample else "holds no record that can be read"
        raise UserError(str(path), what, "give messages, ShareGPT, Alpaca or prompt and completion", code=INPUT)
    found = []
    for item in read.read(path):
        try:
            if isinstance(item, read.Reject):
                raise ValueError(item.cause)
            found.append(formats.conversation(item.data, format=form.format, fields=form.fields)[0])
        except ValueError as error:
            fix = "mend or delete it, or make a mix with `curate run`, which counts what it cannot read"
            raise UserError(f"{path}, line {item.line}", str(error), fix, code=INPUT) from error
    return found


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as JSON lines; conversations as lists of role and content, as trainers read them."""
    turn = pl.element().struct.field("role", "content")
    talks = [name for name, kind in rows.schema.items() if kind == pl.List(MESSAGE)]
    lines = rows.with_columns(pl.col(name).list.eval(pl.struct(turn)) for name in talks).iter_rows(named=True)
    make(path.parent)
    write_text(path, "".join(orjson.dumps(line).decode() + "\n" for line in lines))


def encode(rows: pl.DataFrame, *, coder: Tokenizer, window: int) -> Encoded:
    """Render each conversation once and return its tokens, with those that are trained on.

    Trained are the turns with `train` true, each with the end-of-turn marker that the chat template sets after it, as
    the step `tokens` counts them. No special token is added to what the template writes. What is longer than the window
    loses its end, and is counted.

    Args:
        rows: `id`, `messages`, and where a row is repeated `copies`.
        coder: a tokenizer with a chat template.
        window: greatest number of tokens.

    Raises:
        UserError: for a tokenizer without a chat template, for rows that the template cannot write, and for rows of
            which nothing is left to train on: they would take part in a batch and teach nothing.
    """
    if coder.template is None:
        what = "has no chat template: what ends an answer would never be learned"
        raise UserError(f"tokenizer '{coder.name}'", what, "put a chat_template.jinja beside its tokenizer.json")
    examples, truncated, empty = [], 0, []
    repeats = rows["copies"].to_list() if "copies" in rows.columns else [1] * rows.height
    texts = _written(rows, coder)
    for start in range(0, rows.height, BATCH):
        part = texts[start : start + BATCH]
        for place, encoding in enumerate(coder.encode([one.text for one in part])):
            number = start + place
            ids = encoding.ids[:window]
            trained = _mask(encoding.offsets, part[place].trained)[: len(ids)]
            truncated += (len(encoding.ids) > window) * repeats[number]
            if not trained.any():
                empty.append(rows["id"][number])
            last = int(np.flatnonzero(trained)[-1]) + 1 if trained.any() else 0
            examples += [
                Example(name, ids[:last], trained[:last]) for name in _names(rows["id"][number], repeats[number])
            ]
    if empty:
        what = (
            f"{len(empty):,} of {rows.height:,} rows have no trained token within {window:,} tokens, first {empty[0]}"
        )
        fix = f"raise the window, or drop them with the step `tokens` and first_trained max = {window - 1}"
        raise UserError("mix", what, fix)
    return Encoded(examples, truncated)


def _written(rows: pl.DataFrame, coder: Tokenizer) -> list[Any]:
    """Return each conversation as a text with its trained spans."""
    written, failed = [], Counter[str]()
    first: dict[str, str] = {}
    for name, turns in zip(rows["id"], rows["messages"].to_list(), strict=True):
        try:
            written.append(coder.render(turns or []))
        except ValueError as error:
            failed[str(error)] += 1
            first.setdefault(str(error), name)
    if failed:
        cause, count = failed.most_common(1)[0]
        what = (
            f"{failed.total():,} of {rows.height:,} rows cannot be written; {count:,} say: {cause} (row {first[cause]})"
        )
        raise UserError(f"chat template of '{coder.name}'", what, "`curate masks` shows more; mend or drop these rows")
    return written


def _mask(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Return which tokens are trained on, (n,) bool."""
    found = np.zeros(len(offsets), dtype=bool)
    for start, end in trained_tokens(offsets, spans):
        found[start:end] = True
    found[:1] = False
    return found


def _names(name: str, copies: int) -> list[str]:
    return [name, *(f"{name}#{number}" for number in range(2, copies + 1))]


def batches(examples: Sequence[Example], *, size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the batches of an epoch as places of examples: shuffled, those of a batch of about one length.

    The order is one of hashes of the ids, so rows that two mixes share come in the same order in both. Within every
    `_SORTED` batches rows are sorted by length, then these batches come in an order of hashes, too.

    Args:
        examples: any number.
        size: of a batch; the last may be smaller.
        seed: of the order.
        epoch: its number.
    """
    order = np.argsort(chance.uniforms(seed, [one.id for one in examples], f"order of epoch {epoch}"), kind="stable")
    found: list[list[int]] = []
    for start in range(0, len(order), size * _SORTED):
        group = sorted(order[start : start + size * _SORTED].tolist(), key=lambda place: len(examples[place].ids))
        parts = [group[low : low + size] for low in range(0, len(group), size)]
        chosen = chance.shuffled(seed, f"{epoch} {start}", "order of batches", size=len(parts))
        found += [parts[number] for number in chosen]
    return found
