"""Count the tokens of a conversation with a tokenizer of your own, and those that would be trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from curate import chance
from curate.chat import Rendered
from curate.schema import Measured
from curate.tokenizer import Tokenizer, files, load, pieces, trained_tokens

# Rows tokenised at once: enough to keep all threads busy, few enough that long rows do not fill the memory.
_BATCH = 512
# Rows of a slice written out piece by piece: the report shows one, and may not show those with personal data.
_EXAMPLES = 4
# Pieces of such a row: two screens of text; a longer row is cut, a shorter one is preferred.
_PIECES = 300
_COUNTS: dict[str, pl.DataType] = {
    "total": pl.UInt32(),
    "trained": pl.UInt32(),
    "trained_share": pl.Float64(),
    "first_trained": pl.UInt32(),
}
_PIECE: dict[str, pl.DataType] = {
    "id": pl.String(),
    "place": pl.UInt32(),
    "text": pl.String(),
    "token": pl.Boolean(),
    "trained": pl.Boolean(),
    "special": pl.Boolean(),
}
_MADE: dict[str, pl.DataType] = {
    "name": pl.String(),
    "sha256": pl.String(),
    "vocabulary": pl.UInt32(),
    "template_sha256": pl.String(),
    "marker": pl.String(),
}
_FAILED: dict[str, pl.DataType] = {"cause": pl.String(), "id": pl.String(), "rows": pl.UInt32()}
_Counts = tuple[int | None, int | None, float | None, int | None]

# The step reads more than the file that a recipe names.
reads = files


def tokens(rows: pl.DataFrame, *, tokenizer: Path, seed: int) -> Measured:
    """Count the tokens of a conversation with a tokenizer of your own, and those that would be trained on.

    The conversation is written by the tokenizer's chat template where it has one, else plainly (question, line break,
    answer; longer ones as `role: text` lines). Trained are the turns with `train` true, each with the end-of-turn
    marker that the template sets after it. No special token is added to what the template writes, nothing is cut.

    Args:
        rows: instruction rows.
        tokenizer: a tokenizer.json, or the folder of a model that holds one; beside it are looked for a
            tokenizer_config.json and a chat_template.jinja.
        seed: chooses the rows written out as examples.

    Signals:
        total (u32): tokens of the whole conversation; null where it has no turns or the chat template fails.
        trained (u32): tokens that are trained on; null where total is.
        trained_share (f64): trained / total, in [0, 1]; null without tokens.
        first_trained (u32): number of the first trained token, from 0: a context window of so many tokens or fewer
            leaves nothing to learn; null without trained tokens.

    Tables:
        example: a few rows of each slice piece by piece: id, place in order, text, whether the piece is a token (what
            the tokenizer passes over is none), whether it is trained on, whether it is a special token.
        made: the tokenizer: its name, SHA-256, size, SHA-256 of its chat template (null without one), end-of-turn
            marker; a line per slice.
        failed: why rows could not be written: cause, first id, rows; by slice.
    """
    coder = load(tokenizer)
    counts: list[_Counts] = []
    failed: dict[str, tuple[str, int]] = {}
    for start in range(0, rows.height, _BATCH):
        part = rows.slice(start, _BATCH)
        written = list(_written(coder, part, failed))
        found = iter(coder.encode([one.text for one in written if one]))
        counts += [_counted(one, next(found)) if one else (None,) * 4 for one in written]
    signals = pl.DataFrame(counts, schema=_COUNTS, orient="row")
    causes = [(cause, first, number) for cause, (first, number) in failed.items()]
    tables = {"example": _examples(coder, rows.hstack(signals), seed), "made": _made(coder)}
    return Measured(signals, tables | {"failed": pl.DataFrame(causes, schema=_FAILED, orient="row")})


def _written(coder: Tokenizer, rows: pl.DataFrame, failed: dict[str, tuple[str, int]]) -> Iterator[Rendered | None]:
    """Give each conversation as a text, None where there is none; causes of failure are counted in `failed`."""
    for row, messages in zip(rows["id"], rows["messages"].to_list(), strict=True):
        try:
            yield coder.render(messages) if messages else None
        except ValueError as error:
            first, number = failed.get(str(error), (row, 0))
            failed[str(error)] = (first, number + 1)
            yield None


def _counted(written: Rendered, encoding: Any) -> _Counts:
    """Return total, trained, share and first trained token of a row."""
    offsets = encoding.offsets
    ranges = trained_tokens(offsets, written.trained)
    total, trained = len(offsets), sum(end - start for start, end in ranges)
    return total, trained, trained / total if total else None, ranges[0][0] if ranges else None


def _examples(coder: Tokenizer, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the pieces of a few rows drawn by chance, short ones first."""
    able = rows.filter(pl.col("trained") > 0)
    drawn = able.with_columns(chance=chance.uniforms(seed, able["id"].to_list(), "tokens example"))
    chosen = drawn.sort(pl.col("total") > _PIECES, "chance", "id").head(_EXAMPLES)
    found: list[Mapping[str, Any]] = []
    for row, messages in chosen.select("id", "messages").iter_rows():
        written = coder.render(messages)
        listed = pieces(written, coder.encode([written.text])[0], coder.special)
        first = next(number for number, piece in enumerate(listed) if piece["trained"])
        # of a long row the end of the context and the beginning of what is trained
        start = max(0, min(first - _PIECES // 3, len(listed) - _PIECES))
        found += [{"id": row, "place": start + number, **piece}
                   for number, piece in enumerate(listed[start : start + _PIECES])]  # fmt: skip
    return pl.DataFrame(found, schema=_PIECE)


def _made(coder: Tokenizer) -> pl.DataFrame:
    """Return what is said of the tokenizer."""
    marker = coder.template.marker if coder.template else None
    size = coder.fast.get_vocab_size()
    line = (coder.name, coder.sha256, size, coder.template_sha256, marker)
    return pl.DataFrame([line], schema=_MADE, orient="row")
