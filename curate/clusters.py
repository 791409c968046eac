"""Clusters of tasks: which one a source is of, and what rows of the mix share with those held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, Field

from curate.errors import suggest
from curate.kinship import COLUMNS, pieces
from curate.rulefile import RULES, STRICT, load
from curate.slices import Rows
from curate.source import Source, Table, Whole

FILE = RULES / "clusters.toml"
TABLE = "clusters.leaks"
_LEAK = {
    "id": pl.String(), "item": pl.String(), "kind": pl.String(), "source": pl.String(), "heldout_source": pl.String(),
    "cluster": pl.String(), "heldout_cluster": pl.String(), "kept": pl.Boolean(),
}  # fmt: skip


class Cluster(BaseModel):
    """Task families that are held out together."""

    model_config = STRICT
    name: str = Field(pattern=r"^\w+$")
    families: tuple[str, ...] = Field(min_length=1)
    why: str = Field(min_length=1)


class Kin(BaseModel):
    """Clusters of which none should be trained on where one is held out."""

    model_config = STRICT
    clusters: tuple[str, str]
    why: str = Field(min_length=1)


class Clusters(BaseModel):
    """The file of clusters."""

    model_config = STRICT
    why: str = Field(min_length=1)
    clusters: tuple[Cluster, ...] = Field(min_length=1)
    kin: tuple[Kin, ...] = ()


class Heldout(Table):
    """Clusters whose sources never enter the mix, and how many rows of it may share a text with them.

    None may by default: what a held-out cluster shows is worth nothing once its texts were trained on under another
    name. Broken, the command ends with status 3.
    """

    clusters: tuple[str, ...] = ()
    max_shared: Whole = Field(default=0, ge=0)


def clusters() -> Clusters:
    """Return the bundled file."""
    return load(FILE, Clusters)


def cluster(source: Source) -> str | None:
    """Return the cluster of a source: its own word, else that of its task family; None for instruction data without."""
    if source.cluster is not None or source.task is None:
        return source.cluster
    known = {family: one.name for one in clusters().clusters for family in one.families}
    return known.get(source.task, source.task)


def held_out(sources: Sequence[Source], names: Iterable[str]) -> tuple[Source, ...]:
    """Return the sources, those of the clusters named held out."""
    wanted = set(names)
    return tuple(
        source.model_copy(update={"split": "heldout"}) if wanted and cluster(source) in wanted else source
        for source in sources
    )


def told(heldout: Heldout, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the manifest's entry: the cluster of each source, those held out, and their kin that is trained on."""
    trained = {cluster(source) for source in sources if source.split == "train"}
    tested = {cluster(source) for source in sources if source.split == "heldout"} - trained
    kin = [
        {"heldout": held, "trained": other, "why": one.why}
        for one in clusters().kin
        for held, other in (one.clusters, one.clusters[::-1])
        if held in tested and other in trained
    ]
    return {"sources": {one.name: cluster(one) for one in sources}, "heldout": list(heldout.clusters), "kin": kin}


def problems(heldout: Heldout, sources: Sequence[Source]) -> Iterable[str]:
    """Yield the names of held-out clusters that no source is of."""
    known = sorted({name for source in sources if (name := cluster(source))})
    for name in heldout.clusters:
        if name not in known:
            yield f"heldout, clusters: no source is of cluster '{name}'; {suggest(name, known)}"


def shared(
    rows: Rows, alive: npt.NDArray[np.bool_], *, sources: Sequence[Source], files: Sequence[Mapping[str, Any]]
) -> pl.DataFrame:
    """Return the rows that share a text with a held-out row.

    `record`: all slots alike, word for word, without case and punctuation: the same record through another template or
    under another name. `passage`: a text of 8 words or more alike in one slot (or, of instruction data, on one line).
    `file`: nothing else, but both sources read the same file.

    Args:
        rows: the run's rows, train and held out.
        alive: (n,) which train rows are in the mix.
        sources: of the recipe.
        files: the files read, each with source and sha256.

    Returns:
        A line for each train row, held-out cluster and kind (the strongest): id, item (the lowest id of the held-out
        rows), kind, source, heldout_source, cluster, heldout_cluster (null where none is known), kept.
    """
    names = pl.DataFrame(
        [(source.name, cluster(source)) for source in sources],
        schema={"source": pl.String, "cluster": pl.String}, orient="row",
    )  # fmt: skip
    held = pl.read_parquet(rows.heldout, columns=list(COLUMNS), glob=False)
    if not held.height:
        return pl.DataFrame(schema=_LEAK)
    items = pieces(held).join(names, on="source", how="left").rename({"source": "heldout_source", "id": "item"})
    items = (
        items.rename({"cluster": "heldout_cluster"})
        .sort("item")
        .unique(["kind", "key", "heldout_source"], keep="first")
    )
    same = _same_files(sources, files, held)
    found = []
    for number, (start, stop) in enumerate(rows.spans()):
        part = rows.slice(number, columns=COLUMNS)
        living = part.select("id", kept=pl.Series(alive[start:stop], dtype=pl.Boolean))
        hit = pieces(part).join(items, on=["kind", "key"], how="inner").drop("key")
        whole = part.select("id", "source").join(same, on="source", how="inner").with_columns(kind=pl.lit("file"))
        whole = whole.join(
            names.rename({"source": "heldout_source", "cluster": "heldout_cluster"}), on="heldout_source"
        )
        found.append(pl.concat([hit, whole.select(hit.columns)]).join(living, on="id"))
    leaks = pl.concat(found) if found else pl.DataFrame(schema={n: k for n, k in _LEAK.items() if n != "cluster"})
    leaks = leaks.join(names, on="source", how="left").select(*_LEAK)
    rank = pl.col("kind").replace_strict({"record": 0, "passage": 1, "file": 2}, return_dtype=pl.Int8)
    return leaks.sort("id", rank, "item").unique(["id", "heldout_cluster"], keep="first", maintain_order=True)


def judged(heldout: Heldout, leaks: pl.DataFrame) -> list[dict[str, Any]]:
    """Judge how many rows of the mix share a text with a held-out cluster.

    Args:
        heldout: what the recipe holds out, and how many rows it bears.
        leaks: what `shared` found.

    Returns:
        The entry of the gate, as those of `curate.gates`; none where no cluster is held out.
    """
    if not heldout.clusters:
        return []
    held = leaks.filter("kept", pl.col("heldout_cluster").is_in(pl.Series(heldout.clusters).implode()))
    pairs = held.group_by("source", "heldout_source").len("rows")
    pairs = pairs.sort("rows", "source", "heldout_source", descending=[True, False, False])
    told = [f"{source} and {other}: {rows}" for source, other, rows in pairs.head(5).iter_rows()]
    bound, value = heldout.max_shared, held["id"].n_unique()
    entry = {"name": "max_shared_with_heldout_clusters", "bound": bound, "value": value, "passed": value <= bound}
    text = f"rows by sources: {'; '.join(told)}; the step `shared` finds them, for a rule to drop"
    return [{**entry, "text": text} if told else entry]


def _same_files(sources: Sequence[Source], files: Sequence[Mapping[str, Any]], held: pl.DataFrame) -> pl.DataFrame:
    """Return the train and held-out sources that read the same part of the same file, with the first held-out row."""
    parts = {source.name: source.records for source in sources}
    heldout = {source.name for source in sources if source.split == "heldout"}
    first = dict(held.group_by("source").agg(pl.col("id").min()).iter_rows())
    pairs = {
        (one["source"], other["source"], first[other["source"]])
        for one in files
        for other in files
        if one["source"] not in heldout and other["source"] in first and one["sha256"] == other["sha256"]
        if parts[one["source"]] == parts[other["source"]]
    }
    return pl.DataFrame(
        sorted(pairs), schema=dict.fromkeys(("source", "heldout_source", "item"), pl.String), orient="row"
    )
