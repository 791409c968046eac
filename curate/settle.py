"""Records settled: identified, limited and cut, and what renderings of a source draw from, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
import polars as pl

from curate import boilerplate, chance, cut, render
from curate.raw import Tally, as_json
from curate.schema import digest
from curate.shelf import Shelf

# Exemplars kept per source: enough that two rows rarely share all of theirs, small enough to hold in memory.
EXEMPLARS = 64


class _Source:
    """What of a source is known so far, while its records come by in the order of their hashes."""

    def __init__(self, tally: Tally, seed: int) -> None:
        self.tally, self.seed = tally, seed
        self._taken = 0
        self._sample: list[pl.Series] = []
        self._sampled = 0
        self._labels: set[str] = set(tally.source.labels.values())
        self._asks = not self._labels and tally.family is not None and "label" in tally.family.slots
        self._exemplars = pl.DataFrame(schema={"base": pl.String(), "data": pl.String(), "draw": pl.Float64()})

    def take(self, own: pl.DataFrame) -> pl.DataFrame:
        """Take notice of the next records; return those that stay, as they stay."""
        tally, source = self.tally, self.tally.source
        if source.infers_template and self._sampled <= boilerplate.SAMPLE_BYTES:
            self._sample.append(own["data"])  # before the limit: a part of a source has the contents of the whole
            self._sampled += int(own["data"].str.len_bytes().sum())
        if source.limit is not None:
            own, before = own.head(max(0, source.limit - self._taken)), own.height
            tally.left_out += before - own.height
            self._taken += own.height
        for changed in own["repairs"].drop_nulls():
            tally.repairs.update(orjson.loads(changed))
        own = own if tally.cuts is None else _cut(own, tally.cuts, tally)
        if tally.family is not None:
            self._draw(own)
        return own

    def _draw(self, own: pl.DataFrame) -> None:
        """Note the labels of records, and keep the exemplars that chance puts first; none is a held-out record."""
        if self._asks:
            self._labels |= {str(label) for label in own["data"].str.json_path_match("$.label").drop_nulls().unique()}
        if self.tally.source.split == "train":
            draws = chance.uniforms(self.seed, own["base"].to_list(), "exemplar pool")
            drawn = own.select("base", "data", pl.Series("draw", draws, dtype=pl.Float64))
            self._exemplars = pl.concat([self._exemplars, drawn]).sort("draw", "base").head(EXEMPLARS)

    def settled(self) -> render.Pool:
        """Infer the template text of the source where it is asked for, and return what its renderings draw from."""
        if self.tally.source.infers_template:
            self.tally.template = boilerplate.infer(pl.concat(self._sample))
        pairs = self._exemplars.select("base", "data").iter_rows()
        exemplars = [render.Exemplar(record, orjson.loads(data)) for record, data in pairs]
        return render.Pool(labels=tuple(sorted(self._labels)), exemplars=tuple(exemplars))


def settle(raw: Iterable[pl.DataFrame], tallies: Sequence[Tally], kept: Shelf, seed: int) -> list[render.Pool]:
    """Put on a shelf the records that stay, under their identity, at most `limit` of each source.

    Args:
        raw: all records by parts, as `Shelf.parts` gives them, with the columns of `raw.RAW`.
        tallies: of the sources, by their numbers; what happens to their records is counted there.
        kept: where they go; `base` is then the record's identity.
        seed: draws exemplars.

    Returns:
        The label set and the exemplars of each source, fixed from all its records.
    """
    sources = [_Source(tally, seed) for tally in tallies]
    for part in raw:
        named = _identified(part)
        for number, source in enumerate(sources):
            kept.add(source.take(named.filter(pl.col("source") == number)))
    return [source.settled() for source in sources]


def _identified(raw: pl.DataFrame) -> pl.DataFrame:
    """Turn `base` into the record's identity and sort by it.

    The first half is the hash of source and content (or key), the second half adds the occurrence number among
    records of the same hash; which of two identical records is the first does not matter, they are identical.
    """
    raw = raw.sort("base", "key", "file", "line")
    occurrence = raw.select(pl.int_range(pl.len()).over("base")).to_series()
    names = [f"{base[:16]}{digest(base, str(n))[:16]}" for base, n in zip(raw["base"], occurrence, strict=True)]
    return raw.with_columns(pl.Series("base", names, dtype=pl.String)).sort("base")


def _cut(raw: pl.DataFrame, cuts: cut.Cuts, tally: Tally) -> pl.DataFrame:
    """Cut recurring spans out of slots and conversations."""
    counts: dict[str, int] = {}
    hit = raw["base"].is_in(list(cuts.places)).arg_true()
    named = zip(raw["base"].gather(hit), raw["data"].gather(hit), strict=True)
    data = [as_json(cut.cut(orjson.loads(data), record, cuts=cuts, counts=counts)) for record, data in named]
    tally.cut_missed += counts.pop(cut.MISSED, 0)
    tally.repairs.update(counts)
    return raw.with_columns(raw["data"].scatter(hit, pl.Series(data, dtype=pl.String)))
