"""Alarms about clusters of copies: very large ones, and those whose rows share only what many rows share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from curate import shingles
from curate.schema import column_text
from reports import shown
from reports.examples import texts
from reports.spans import longest
from reports.view import View, draw

# More of a source than this in one cluster, and at least so many rows, is no accident of drawing: a template, a footer,
# a file that was read twice.
SHARE, ROWS = 0.01, 10
# Clusters examined, the largest first, and members read of each, as a report must stay quick for 100,000 clusters.
EXAMINED, MEMBERS = 200, 20
# Rows of a source in which shingles are counted: as many as make one in a hundred ten.
SAMPLE = 1000
# Words in a shingle, as the step for near copies has them.
WORDS = 3
# Alarms of each kind told of a step, and characters of a text in which the common run of words is looked for.
SHOWN, LIMIT = 5, 20_000


def alarms(view: View, copies: pl.DataFrame, *, on: str) -> dict[str, Any]:
    """Return the clusters of one step that look wrong; they change no verdict.

    Args:
        view: the run.
        copies: `id`, `source` and `keeper` of every row that names a keeper.
        on: what the step compared, a text column or "rendered".

    Returns:
        How many clusters were examined, how many are `large` and how many share `only_frequent` text, and a list of the
        largest: keeper, size, the source that holds most of it, its rows and all rows of that source, and the span.
    """
    clusters = _clusters(view, copies)
    examined = clusters.head(EXAMINED)
    members = _members(copies, examined["keeper"])
    shared = _only_frequent(view, copies, members, on=on)
    wrong = pl.col("keeper").is_in(pl.Series(sorted(shared), dtype=pl.String).implode())
    marked = examined.with_columns(only_frequent=wrong)
    found = pl.concat([marked.filter(kind).head(SHOWN) for kind in ("large", "only_frequent")])
    return {
        "examined": examined.height,
        "large": int(clusters["large"].sum()),
        "only_frequent": len(shared),
        "list": [
            {
                **{key: row[key] for key in ("size", "source", "rows", "source_rows", "large", "only_frequent")},
                "keeper": {"row": row["keeper"]},
                "span": _span(view, [row["keeper"], *members.filter(pl.col("keeper") == row["keeper"])["id"]], on=on),
            }
            for row in found.unique("keeper", keep="first", maintain_order=True).iter_rows(named=True)
        ],
    }


def _clusters(view: View, copies: pl.DataFrame) -> pl.DataFrame:
    """Return one row per cluster, the largest first, with the source of which it holds the largest share."""
    keepers = view.base.select("id", "source").filter(pl.col("id").is_in(copies["keeper"].unique().implode()))
    rows = pl.concat([copies.select("keeper", "source"), keepers.select(keeper="id", source="source")])
    totals = view.base.group_by("source").len("source_rows")
    held = rows.group_by("keeper", "source").len("rows").join(totals, on="source", nulls_equal=True)
    held = held.with_columns(share=pl.col("rows") / pl.col("source_rows"), size=pl.col("rows").sum().over("keeper"))
    held = held.with_columns(large=(pl.col("share") > SHARE) & (pl.col("rows") >= ROWS))
    most = held.sort("keeper", "large", "share", "source", descending=[False, True, True, False])
    first = most.unique("keeper", keep="first", maintain_order=True)
    return first.sort("large", "size", "keeper", descending=[True, True, False])


def _members(copies: pl.DataFrame, keepers: pl.Series) -> pl.DataFrame:
    """Return a draw of the members of some clusters: the second half of an id is a hash."""
    own = copies.select("keeper", "id", "source").filter(pl.col("keeper").is_in(keepers.implode()))
    return own.sort("keeper", pl.col("id").str.slice(16), "id").group_by("keeper", maintain_order=True).head(MEMBERS)


def _only_frequent(view: View, copies: pl.DataFrame, members: pl.DataFrame, *, on: str) -> set[str]:
    """Return the keepers that share shingles with every member, and with none a shingle that is rare elsewhere.

    A shingle is rare where fewer than 1 % of the rows of a sample of the member's source hold it, or fewer than 10, the
    rows of the cluster itself not counted: a text that came a hundred times is large, not common.
    """
    sets = _sets(view, pl.concat([members["id"], members["keeper"]]).unique(), on=on)
    wrong: dict[str, bool] = {}
    for source in members["source"].unique().sort():
        drawn = draw(view, view.base["source"] == source, f"frequent {source}", size=SAMPLE)
        sample = _sets(view, pl.Series(drawn, dtype=pl.String), on=on)
        counts = Counter(shingle for one in sample.values() for shingle in one)
        of = dict(copies.select("id", "keeper").filter(pl.col("id").is_in(drawn)).iter_rows())
        inside: dict[str, Counter[int]] = {}
        for row, one in sample.items():
            inside.setdefault(of.get(row, row), Counter()).update(one)
        least = max(ROWS, SHARE * len(sample))
        for keeper, row in members.filter(pl.col("source") == source).select("keeper", "id").iter_rows():
            common = sets[row] & sets.get(keeper, set())
            own = inside.get(keeper, Counter())
            frequent = bool(common) and all(counts[shingle] - own[shingle] >= least for shingle in common)
            wrong[keeper] = wrong.get(keeper, True) and frequent
    return {keeper for keeper, is_wrong in wrong.items() if is_wrong}


def _sets(view: View, ids: pl.Series, *, on: str) -> dict[str, set[int]]:
    """Return the hashes of the shingles of what was compared, of each id that is a row."""
    chosen = pl.col("id").is_in(ids.implode())
    rows = view.run.scan().filter(chosen).select("id", "prompt", "response", "content").collect().sort("id")
    runs = shingles.windows(shingles.word_hashes(column_text(rows, on).to_list()), n=WORDS)
    edges, values = runs.offsets.tolist(), runs.values.tolist()
    return {row: set(values[edges[at] : edges[at + 1]]) for at, row in enumerate(rows["id"])}


def _span(view: View, ids: list[str], *, on: str) -> str:
    """Return the beginning of the longest run of words that the rows share, personal data masked."""
    found = texts(view, ids, contents=ids, limit=LIMIT)
    names = ("prompt", "response") if on == "rendered" else (on,)
    run = longest(["\n".join(found[row][name] for name in names) for row in ids if row in found])
    return shown.clipped(run, shown.EXCERPT)
