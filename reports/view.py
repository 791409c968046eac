"""What every section of the report reads: the manifest and a slim table of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import chance
from curate.rundir import RunDir
from curate.schema import ROW

# Tokenizers of English-centred models spend about four bytes of UTF-8 on a token; bytes rather than characters
# because scripts beyond Latin take more tokens per character and more bytes alike.
BYTES_PER_TOKEN = 4
TOKENS_METHOD = f"tokens are estimated as UTF-8 bytes of prompt and response ÷ {BYTES_PER_TOKEN}, no tokenizer is run"
VERDICTS = ("kept", "dropped_at", "dropped_by", "flagged_by")
_GROUPS = ("id", "record", "source", "task", "template", "lang", "license", *VERDICTS)
_READ = (*_GROUPS, "messages", "prompt", "response", "slots")


@dataclass(frozen=True)
class View:
    """A run as its sections see it.

    Args:
        run: the directory.
        manifest: its manifest.
        base: all n train rows in order of id: group columns, sizes, label, verdict, `stage` (index of the stage that
            dropped the row, the number of stages for kept rows) and `copies`.
        signals: type by signal name.
        name: how commands call the run.
    """

    run: RunDir
    manifest: dict[str, Any]
    base: pl.DataFrame
    signals: dict[str, pl.DataType]
    name: str

    @property
    def seed(self) -> int:
        """Return the seed of the run."""
        return int(self.manifest.get("seed", 0))

    @property
    def recipe(self) -> str:
        """Return how commands call the recipe."""
        return str(self.manifest.get("recipe_file") or f"{self.manifest['name']}.toml")

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Return all rules in order, each with its stage's name and index."""
        stages = self.manifest["stages"]
        return [
            {**rule, "stage": stage["name"], "index": index}
            for index, stage in enumerate(stages)
            for rule in stage["rules"]
        ]

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some columns of all rows, in order of id."""
        return self.run.rows(list(names))

    def alive(self, index: int) -> pl.Series:
        """Return which rows reach the stage of this index, (n,) bool."""
        return self.base["stage"] >= index


def open_view(run: Path, *, name: str | None = None) -> View:
    """Read what all sections need; texts stay on disk.

    Args:
        run: the run directory.
        name: how commands shown in the report call it, by default its path.

    Raises:
        UserError: when there is no finished run.
    """
    folder = RunDir.open(run)
    manifest = folder.manifest
    schema = folder.scan().collect_schema()
    signals = {key: kind for key, kind in schema.items() if key not in ROW and key not in VERDICTS}
    order = {stage["name"]: index for index, stage in enumerate(manifest["stages"])}
    copies, parts, used = folder.mix(["copies"])["copies"].to_numpy(), [], 0
    for part in folder.parts("rows", _READ):
        kept = part["kept"].to_numpy()
        own = np.zeros(part.height, copies.dtype)
        own[kept] = copies[used : used + int(kept.sum())]  # the mix holds the kept rows in the same order
        used += int(kept.sum())
        parts.append(part.select(*_columns(order), pl.Series("copies", own)))
    return View(folder, manifest, pl.concat(parts), signals, name or str(run))


def _columns(order: dict[str, int]) -> list[pl.Expr]:
    """Return the expressions of the slim table."""
    size = pl.col("prompt").str.len_bytes() + pl.col("response").str.len_bytes()
    stage = pl.col("dropped_at").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return [
        pl.col(*_GROUPS),
        pl.col("messages").list.len().alias("turns"),
        pl.col("prompt").str.len_chars().alias("prompt_characters"),
        pl.col("response").str.len_chars().alias("response_characters"),
        ((size + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN).cast(pl.Int64).alias("tokens"),
        ((pl.col("response").str.len_bytes() + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN)
        .cast(pl.Int64)
        .alias("response_tokens"),
        (pl.col("response").str.strip_chars().str.len_bytes() == 0).fill_null(True).alias("blank"),
        pl.col("slots").str.json_path_match("$.label").alias("label"),
        stage.alias("stage"),
    ]


def draw(view: View, rows: pl.Series, purpose: str, *, size: int) -> list[str]:
    """Return ids of rows drawn by chance, the same on every machine.

    The second half of an id is itself a hash, so the ids that follow a point set by chance are a fair draw; no
    number has to be made for each of a million rows.

    Args:
        view: the run.
        rows: which rows may be drawn, (n,) bool.
        purpose: keeps draws for different ends apart.
        size: at most so many.
    """
    point = format(int(chance.uniform(view.seed, "", purpose) * 16**8), "08x")
    key = pl.col("id").str.slice(16)
    ids = view.base.lazy().select("id").filter(rows).sort(key < point, key, "id").head(size).collect()
    return ids["id"].to_list()


def example(view: View, rows: pl.Series, purpose: str) -> dict[str, str]:
    """Return one drawn row as an example to show, or nothing when there is none."""
    drawn = draw(view, rows, purpose, size=1)
    return {"row": drawn[0]} if drawn else {}


def rate(part: float, whole: float) -> float:
    """Return part of whole, 0 of nothing."""
    return part / whole if whole else 0.0
