"""Files to rows: read, repair, identify, limit, render, and write sorted by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl

from curate import boilerplate, cache, cut, folders, inputs, read, render, rulebook, rundir
from curate.errors import INPUT, UserError
from curate.raw import Rejects, Tally, read_source
from curate.recipe import Recipe
from curate.schema import PREFIX, ROW, prompt_and_response, row_id
from curate.settle import settle
from curate.shelf import Shelf

Progress = Callable[[str, int, int], None]
Renderer = Callable[[str, str], tuple[str, str, list[render.Rendered]]]

# Records per slice of work. Small enough that a slice with its signals is a few tens of megabytes, large enough that
# starting a step costs nothing beside it.
SLICE = 10_000
# Bytes of records per slice. A column of a slice may hold 2 GB, the limit of Arrow's strings, which other readers
# expect: this leaves room for 30 renderings of each record.
SLICE_BYTES = 1 << 26
FACTS = "facts.json"
ORIGINS = {"record": pl.String(), "source": pl.String(), "file": pl.String(), "line": pl.UInt64()}
FILES = {"rows": "rows.parquet", "heldout": "heldout.parquet", "origins": "origins.parquet", "rejects": "rejects.jsonl"}


@dataclass(frozen=True)
class Ingested:
    """A folder with rows.parquet, heldout.parquet, origins.parquet, rejects.jsonl and facts.json.

    Args:
        path: the folder.
        facts: `inputs` and `sources` of the manifest, and `rows_sha256`, `heldout_sha256`.
        cached: true when an earlier run had made it.
    """

    path: Path
    facts: dict[str, Any]
    cached: bool


def ingest(recipe: Recipe, *, store: cache.Store, progress: Progress) -> Ingested:
    """Read and render all sources, or find the result of an earlier run.

    Raises:
        UserError: when an input cannot be read, or more records than the recipe's `rejects` are broken.
    """
    paths = {source.name: inputs.files(source, recipe) for source in recipe.sources}
    stamps = inputs.stamps(recipe, paths)
    found = inputs.described(recipe, paths)
    folder = _folder(recipe, store.folder, found)
    # Another run over the same inputs is waited for: it does the same work. Where machines share the folder, each has
    # a workshop of its own, as locks often end at the machine, and the first that is done is right.
    with folders.workshop(folder.parent / f".{folder.name}.{folders.host()}.partial", wait=True) as partial:
        if not store.fresh and (facts := _whole(folder)) is not None:
            return Ingested(folder, facts, cached=True)
        try:
            tallies = _read_all(recipe, paths, partial, progress)
            inputs.require_same(stamps, inputs.stamps(recipe, paths))
            _check_share(recipe, tallies, folder)
        except UserError:
            _replace(folder, partial)  # without facts it is no result, but its rejects tell what is wrong
            raise
        digests = {f"{name}_sha256": rundir.file_digest(partial / file) for name, file in FILES.items()}
        facts = {"inputs": found, "sources": [tally.facts() for tally in tallies], **digests}
        rundir.write_json(partial / FACTS, facts)
        if store.fresh or _whole(folder) is None:
            _replace(folder, partial)
    return Ingested(folder, facts, cached=False)


def _whole(folder: Path) -> dict[str, Any] | None:
    """Return the facts of an earlier result, or None when there is none or a file of it has changed since."""
    try:
        facts: dict[str, Any] = orjson.loads((folder / FACTS).read_bytes())
        same = all(facts.get(f"{name}_sha256") == rundir.file_digest(folder / file) for name, file in FILES.items())
    except (OSError, ValueError):
        return None
    return facts if same else None


def _replace(folder: Path, partial: Path) -> None:
    if folder.exists():
        folders.remove(folder)
    partial.rename(folder)


def _read_all(recipe: Recipe, paths: Mapping[str, list[Path]], folder: Path, progress: Progress) -> list[Tally]:
    """Read and render all sources into a folder and return what happened to their records."""
    families = rulebook.families(own_templates(recipe))
    tallies = [
        Tally(one, paths[one.name], families[one.task] if one.task else None, cut.named(one, recipe))
        for one in recipe.sources
    ]
    with (
        open(folder / "rejects.jsonl", "w", encoding="utf-8", newline="\n") as file,
        TemporaryDirectory(dir=folder, prefix=".records-") as place,
    ):
        rejects, raw, records = Rejects(file), Shelf(Path(place) / "raw"), Shelf(Path(place) / "settled")
        for number, tally in enumerate(tallies):
            read_source(number, tally, rejects, raw, progress)
        pools = settle(raw.parts(), tallies, records, recipe.seed)
        raw.clear()
        renderers = [_renderer(*one, recipe) for one in zip(tallies, pools, strict=True)]
        _render_all(records, tallies, renderers, (folder, rejects, progress))
    return tallies


def own_templates(recipe: Recipe) -> Path | None:
    """Return the folder of the recipe's own templates."""
    return recipe.resolve(recipe.templates.path) if recipe.templates.path else None


def cached_folder(recipe: Recipe, folder: Path) -> Path | None:
    """Return where the rows of a recipe lie already, or None."""
    place = folder_of(recipe, folder)
    return place if (place / FACTS).is_file() else None


def folder_of(recipe: Recipe, folder: Path) -> Path:
    """Return where in a cache the rows of a recipe lie once it was run; the name holds all that they depend on."""
    paths = {source.name: inputs.files(source, recipe) for source in recipe.sources}
    return _folder(recipe, folder, inputs.described(recipe, paths))


def _folder(recipe: Recipe, folder: Path, files: Sequence[Mapping[str, Any]]) -> Path:
    return folder / "ingest" / _key(recipe, files)


def _key(recipe: Recipe, files: Sequence[Mapping[str, Any]]) -> str:
    plain = recipe.plain()
    used = {name: plain.get(name) for name in ("sources", "templates", "seed", "rejects")}
    folder = own_templates(recipe)
    own = cache.folder_digest(folder) if folder else ""
    templates = [cache.folder_digest(rulebook.RULES / name) for name in ("templates", "patterns")]
    return cache.key(used, list(files), templates, own, cache.code_digest(), cache.versions())


def _render_all(
    records: Shelf, tallies: Sequence[Tally], renderers: Sequence[Renderer], place: tuple[Path, Rejects, Progress]
) -> None:
    """Render slices in the order of records and write rows, held-out rows and origins."""
    folder, rejects, progress = place
    done = 0
    with (
        rundir.Writer(folder / FILES["rows"], ROW) as train,
        rundir.Writer(folder / FILES["heldout"], ROW) as heldout,
        rundir.Writer(folder / FILES["origins"], ORIGINS) as origins,
    ):
        for part in _slices(records.parts()):
            rows, kept = _render_slice(part, tallies, renderers, rejects)
            train.write(rows.filter(pl.col("split") == "train"))
            heldout.write(rows.filter(pl.col("split") == "heldout"))
            origins.write(_origins(part.filter(pl.Series(kept, dtype=pl.Boolean)), tallies))
            done += part.height
            progress("rendering", done, records.height)


def _slices(parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield about `SLICE` records at a time, whatever the parts are in which they come."""
    left: pl.DataFrame | None = None
    for part in parts:
        whole = part if left is None else pl.concat([left, part])
        *spans, (last, _) = _spans(whole) or [(0, 0)]
        for start, stop in spans:
            yield whole.slice(start, stop - start)
        left = whole.slice(last)  # it may go on in the next part
    if left is not None and left.height:
        yield left


def _spans(raw: pl.DataFrame) -> list[tuple[int, int]]:
    """Return spans of about `SLICE` records, cut where ids begin differently: sorted slices make a sorted whole."""
    prefixes = raw["base"].str.head(PREFIX)
    ends = raw["data"].str.len_bytes().cast(pl.UInt64).cum_sum().rechunk()
    found, start = [], 0
    while start < len(prefixes):
        full = ends.search_sorted((ends[start - 1] if start else 0) + SLICE_BYTES, side="right")
        stop = min(start + SLICE, max(start + 1, int(full)), len(prefixes))
        while stop < len(prefixes) and prefixes[stop] == prefixes[stop - 1]:
            stop += 1
        found.append((start, stop))
        start = stop
    return found


def _origins(raw: pl.DataFrame, tallies: Sequence[Tally]) -> pl.DataFrame:
    names = [tallies[i].source.name for i in raw["source"]]
    files = [read.named(tallies[i].paths[f]) for i, f in zip(raw["source"], raw["file"], strict=True)]
    columns = {"record": raw["base"], "source": pl.Series(names, dtype=pl.String)}
    return pl.DataFrame({**columns, "file": pl.Series(files, dtype=pl.String), "line": raw["line"]})


def _render_slice(
    part: pl.DataFrame, tallies: Sequence[Tally], renderers: Sequence[Renderer], rejects: Rejects
) -> tuple[pl.DataFrame, list[bool]]:
    """Render the records of a slice.

    Returns:
        The rows of all splits, sorted by id, and per record whether it has rows.
    """
    rows: list[dict[str, Any]] = []
    kept: list[bool] = []
    templates = {number: tally.template for number, tally in enumerate(tallies) if tally.template is not None}
    shorter = boilerplate.shortened(part, templates)
    for record, number, data, meta, file, line in part.select(
        "base", "source", "data", "meta", "file", "line"
    ).iter_rows():
        tally = tallies[number]
        try:
            slots, content, renderings = renderers[number](record, data)
        except ValueError as error:
            tally.found -= 1
            rejects.add(tally, read.Reject(str(tally.paths[file]), line, str(error), data[:200]))
            kept.append(False)
            continue
        kept.append(True)
        tally.rows += len(renderings)
        shared = {name: getattr(tally.source, name) for name in ("task", "split", "license", "lang")}
        shared |= {"record": record, "source": tally.source.name, "slots": slots, "meta": meta}
        shared["content"] = shorter.get(record, content)
        for index, one in enumerate(renderings):
            rows.append({**shared, "id": row_id(record, one.template, index), **vars(one)})
    frame = pl.DataFrame(rows, schema=ROW, infer_schema_length=None) if rows else pl.DataFrame(schema=ROW)
    return frame.sort("id"), kept


def _renderer(tally: Tally, pool: render.Pool, recipe: Recipe) -> Renderer:
    """Return the function from a record's stored data to slots, content and renderings."""
    source, family = tally.source, tally.family
    if family is None:
        return lambda record, data: _conversation(data, str(tally.format))
    train = source.split == "train"
    kinds = recipe.templates.kinds if train else render.ANSWERED
    # Held-out rows are worded in all ways, those kept from training among them, so that both can be compared.
    plan = render.Plan(per_record=recipe.templates.per_record, kinds=kinds, unseen=not train, seed=recipe.seed)
    renderings = render.renderer(family=family, pool=pool, plan=plan)

    def rendered(record: str, data: str) -> tuple[str, str, list[render.Rendered]]:
        slots = orjson.loads(data)
        return data, render.content_of(slots, family=family), renderings(record, slots)

    return rendered


def _conversation(data: str, format: str) -> tuple[str, str, list[render.Rendered]]:
    """Return instruction data as it is: one row, its content the user and assistant turns."""
    messages = orjson.loads(data)
    prompt, response = prompt_and_response(messages)
    if not prompt.strip():
        raise ValueError("the prompt is empty after cutting")
    content = "\n".join(turn["content"] for turn in messages if turn["role"] in boilerplate.SPEAKERS)
    one = render.Rendered(template=format, messages=messages, prompt=prompt, response=response, parents=[])
    return "{}", content, [one]


def _check_share(recipe: Recipe, tallies: Sequence[Tally], folder: Path) -> None:
    """Fail when more records than the recipe allows could not be used."""
    rejects = sum(tally.rejects for tally in tallies)
    total = sum(tally.found + tally.rejects for tally in tallies)
    if total and rejects / total > recipe.rejects:  # divided, because 0.29 * 100 is less than 29
        worst = max(tallies, key=lambda tally: tally.rejects)
        cause, count = worst.causes.most_common(1)[0]
        what = (
            f"{rejects:,} of {total:,} records rejected ({rejects / total:.1%}, allowed {recipe.rejects:.1%}); most in"
        )
        what += f" source '{worst.source.name}', {count:,} because: {cause}"
        fix = f"all are listed in {folder / 'rejects.jsonl'}; mend them, or raise `rejects`"
        raise UserError(recipe.file, what, fix, code=INPUT)
