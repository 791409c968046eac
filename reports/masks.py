"""Which turns, and which of their tokens, a trainer would learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import personal, roles
from curate.schema import ROLES
from reports import shown, turns
from reports.addresses import ADDRESS
from reports.examples import span_tables
from reports.view import View, example, rate

# Causes of failure and pieces of the coloured row that are shown; the step writes no more than 300 pieces.
CAUSES, PIECES = 8, 300
# Characters of one piece: a token is rarely longer, what a tokenizer passes over may be.
PIECE = 80
ADD = 'token figures skipped: add { step = "tokens", tokenizer = PATH }'
METHOD = (
    "turns of all rows; legal is a system turn first or none, then a question and an answer in turn, the answer last, "
    "and a tool's turns only after an answer that called it"
)


def masks(view: View) -> dict[str, Any]:
    """Return the order of roles, what is trained on, and the tokens where the run counted them."""
    if not view.base.height:
        return {"skipped": "the run has no rows"}
    flat = roles.turns(view.run.scan())
    trained = flat.filter("train")
    illegal = {kind: _rows(view, flat.filter(wrong)) for kind, wrong in roles.faults().items()}
    learns = _rows(view, trained)
    strangers = trained.filter(pl.col("role") != roles.ASSISTANT)
    return {
        "method": METHOD,
        "rows": view.base.height,
        "legal": int(view.base.height - np.logical_or.reduce(list(illegal.values())).sum()),
        "illegal": [{"kind": kind, **_found(view, rows, kind)} for kind, rows in illegal.items() if rows.any()],
        "roles": _roles(flat),
        "untrained": _found(view, ~learns, "no trained turn"),
        "empty": _found(view, _rows(view, trained.filter("blank")), "empty trained turn"),
        "strangers": _found(view, _rows(view, strangers), "trained, not assistant"),
        "tokens": _tokens(view),
    }


def _rows(view: View, flat: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows have one of these turns, (n,) bool."""
    found = np.zeros(view.base.height, dtype=bool)
    found[flat["row"].to_numpy()] = True
    return found


def _found(view: View, rows: npt.NDArray[np.bool_], purpose: str) -> dict[str, Any]:
    """Return how many rows, how many of them are kept, and one of them, a kept one if there is one."""
    marked = pl.Series(rows)
    kept = marked & view.base["kept"]
    return {
        "rows": int(marked.sum()),
        "kept": int(kept.sum()),
        **example(view, kept if kept.any() else marked, purpose),
    }


def _roles(flat: pl.DataFrame) -> list[dict[str, Any]]:
    """Count turns, trained ones and rows by role."""
    counted = flat.group_by(pl.col("role").cast(pl.String)).agg(
        pl.len().alias("turns"), pl.col("train").sum().alias("trained"), pl.col("row").n_unique().alias("rows")
    )
    found = {line["role"]: line for line in counted.to_dicts()}
    return [found[role] for role in (*ROLES, None) if role in found]


def _tokens(view: View) -> dict[str, Any]:
    """Return the tokenizer, what could not be written by its template, and one row token by token."""
    name = turns.counted_by(view)
    made = view.run.table(f"{name}.made")
    if name is None or made is None or not made.height:
        return {"skipped": ADD}
    sizes = turns.sizes(view).filter("kept")
    known = sizes.filter(pl.col("total").is_not_null())
    total, trained = int(known["total"].sum() or 0), int(known["trained"].sum() or 0)
    about = made.row(0, named=True)
    return {
        "step": name,
        "name": shown.clipped(about["name"], 80),
        "sha256": about["sha256"],
        "vocabulary": about["vocabulary"],
        "template_sha256": about["template_sha256"],
        "marker": about["marker"],
        "rows": known.height,
        "unknown": sizes.height - known.height,
        "of": sizes.height,
        "causes": _causes(view, f"{name}.failed"),
        "total": total,
        "trained": trained,
        "trained_share": rate(trained, total),
        "without": int((known["trained"] == 0).sum()),
        "example": _example(view, f"{name}.example"),
    }


def _causes(view: View, table: str) -> list[dict[str, Any]]:
    """Return why rows could not be written, the commonest cause first, each with a row."""
    found = view.run.table(table)
    if found is None or not found.height:
        return []
    causes = found.group_by("cause").agg(pl.col("rows").sum(), pl.col("id").min())
    causes = causes.sort("rows", "cause", descending=[True, False]).head(CAUSES)
    return [
        {"cause": shown.clipped(cause, 160), "rows": rows, "row": row}
        for cause, rows, row in causes.select("cause", "rows", "id").iter_rows()
    ]


def _example(view: View, table: str) -> dict[str, Any]:
    """Return one row in pieces, kept if possible; never one in which personal data was found."""
    pieces = view.run.table(table)
    if pieces is None or not pieces.height:
        return {"skipped": "no row has trained tokens"}
    drawn = view.base.select("id", "kept").join(pieces, on="id", how="semi")
    for name in span_tables(view):
        found = view.run.table(name)
        drawn = drawn if found is None or "id" not in found.columns else drawn.join(found, on="id", how="anti")
    drawn = drawn.filter(~pl.col("id").is_in(_personal(pieces, drawn["id"]).implode()))
    if not drawn.height:
        return {"skipped": "personal data was found in each of the rows drawn"}
    row = drawn.sort("kept", "id", descending=[True, False])["id"][0]
    chosen = pieces.filter(pl.col("id") == row).sort("place").head(PIECES)
    return {
        "row": row,
        "drawn": drawn.height,
        "cut": bool(chosen["place"][0]),
        "pieces": [
            {"text": _seen(text, token=token), "kind": _kind(token, trained, special)}
            for text, token, trained, special in chosen.select("text", "token", "trained", "special").iter_rows()
        ],
    }


def _personal(pieces: pl.DataFrame, ids: pl.Series) -> pl.Series:
    """Return which of a few rows hold personal data: cut into pieces it could not be masked."""
    chosen = pieces.filter(pl.col("id").is_in(ids.implode())).sort("id", "place")
    whole = chosen.group_by("id", maintain_order=True).agg(pl.col("text").str.join(""))
    found = [row for row, text in whole.iter_rows() if ADDRESS.search(text) or personal.find_in(text)]
    return pl.Series(found, dtype=pl.String)


def _kind(token: bool, trained: bool, special: bool) -> str:
    """Return how a piece is drawn."""
    if not token:
        return "gap"
    return ("special trained" if trained else "special") if special else ("trained" if trained else "context")


def _seen(text: str, *, token: bool) -> str:
    """Return a piece as it is shown: cut short, its line breaks marked, a token of blanks alone made visible."""
    if token and not text.strip():
        text = text.replace(" ", "␣").replace("\t", "⇥")
    cut = text[:PIECE] + ("…" if len(text) > PIECE else "")
    return shown.visible(cut.replace("\n", "↵\n"))
