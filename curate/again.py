"""Stars decided once more from their verified pairs: at a higher threshold, or among fewer texts."""

from __future__ import annotations

import numpy as np
import polars as pl


def again(pairs: pl.DataFrame, *, threshold: float, living: pl.Series | None = None) -> pl.DataFrame:
    """Return who would be removed, and for whom, from a complete table of pairs, without looking at a text.

    Equal to a new run at that threshold, or on the living units alone: the walk is the same, and a pair at the
    threshold or above is in the table if any is.

    Args:
        pairs: id, other, similarity (1 for equal texts, of which the first stands in `other`), place and other_place
            (of both in the walk), as the steps `near` and `minhash` write them, complete at a threshold not above this.
        threshold: least similarity.
        living: ids of the units to decide among; all when left out.

    Returns:
        id, keeper, similarity of every removed unit, ascending by id.
    """
    names = pl.concat([pairs["id"], pairs["other"]]).unique().sort()
    code = pl.DataFrame({"name": names, "code": np.arange(len(names), dtype=np.int64)})
    coded = pairs.select(
        "similarity",
        "place",
        "other_place",
        id=pairs.select(name="id").join(code, on="name", how="left", maintain_order="left")["code"],
        other=pairs.select(name="other").join(code, on="name", how="left", maintain_order="left")["code"],
    )
    place = np.empty(len(names), dtype=np.int64)
    place[coded["id"].to_numpy()] = coded["place"].to_numpy()
    place[coded["other"].to_numpy()] = coded["other_place"].to_numpy()
    alive = np.ones(len(names), dtype=bool) if living is None else names.is_in(living.implode()).to_numpy()
    text = np.arange(len(names), dtype=np.int64)
    equal = coded.filter(pl.col("similarity") == 1)
    text[equal["id"].to_numpy()] = equal["other"].to_numpy()
    units = pl.DataFrame({"unit": np.arange(len(names)), "text": text, "place": place}).filter(pl.Series(alive))
    first = units.sort("text", "place").unique("text", keep="first", maintain_order=True)
    speaker = dict(first.select("text", "unit").iter_rows())
    where = dict(first.select("text", "place").iter_rows())
    near = coded.filter(pl.col("similarity") < 1, pl.col("similarity") >= threshold)
    edges = [(text[one], text[two], share) for one, two, share in near.select("id", "other", "similarity").iter_rows()]
    keeper = _walk([edge for edge in edges if edge[0] in where and edge[1] in where], where)
    removed = []
    for unit, own in units.select("unit", "text").iter_rows():
        stays, share = keeper.get(own, (own, 1.0))
        if speaker[stays] != unit:
            removed.append((names[unit], names[speaker[stays]], share))
    schema = {"id": pl.String, "keeper": pl.String, "similarity": pl.Float64}
    return pl.DataFrame(removed, schema=schema, orient="row").sort("id")


def _walk(edges: list[tuple[int, int, float]], where: dict[int, int]) -> dict[int, tuple[int, float]]:
    """Return the keeper of each removed text, the most similar one, ties the first in the walk, and the similarity."""
    later_first = [edge if where[edge[0]] > where[edge[1]] else (edge[1], edge[0], edge[2]) for edge in edges]
    found: dict[int, tuple[int, float]] = {}
    for later, earlier, share in sorted(later_first, key=lambda edge: where[edge[0]]):
        if earlier in found:
            continue
        best = found.get(later)
        if best is None or (share, -where[earlier]) > (best[1], -where[best[0]]):
            found[later] = (earlier, share)
    return found
