"""Scores of items put together: means with intervals by slice, confusion, calibration, models side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from curate import chance
from curate.intervals import RESAMPLES, clustered, wilson
from tune.metrics import SHARES, calibration, corpus, macro_f1

# Bounds of the bands of length, in words of prompt and answer: what fits on a screen, a page, and beyond.
BANDS = (25, 50, 100, 200, 400)
SLICES = ("task", "source", "template", "lang", "length", "label", "wording", "setting")
# A slice of fewer rows has an interval that spans half of all shares.
LEAST = 10


def band(words: int) -> str:
    """Return the band of a length in words, such as `51-100`."""
    low = 0
    for bound in BANDS:
        if words <= bound:
            return f"{low + 1 if low else 0}-{bound}"
        low = bound
    return f"over {low}"


def means(scores: pl.DataFrame, facts: pl.DataFrame, *, seed: int) -> list[dict[str, Any]]:
    """Return the mean of each measure in each slice, with a 95 % interval.

    Shares get Wilson's, with the number of records in the place of that of rows: renderings of one record may agree
    wholly, and then they tell no more than one. Other means get a bootstrap that draws whole records.

    Args:
        scores: id, record, metric, value.
        facts: id and the columns of `SLICES`, null where a row is in no such slice.
        seed: of the bootstrap.

    Returns:
        by, slice, metric, n (rows), records, mean, low, high, interval; in this order, tasks first.
    """
    joined = scores.select("id", "record", "metric", "value").join(facts, on="id", how="left")
    parts = [("all", "all", joined)]
    for name in SLICES:
        groups = joined.filter(pl.col(name).is_not_null()).partition_by(name, as_dict=True)
        parts += [(name, str(key[0]), part) for key, part in sorted(groups.items())]
    found = []
    for by, one, part in parts:
        for (metric,), values in sorted(part.partition_by("metric", as_dict=True).items()):
            if by in ("task", "source", "setting", "all") or values.height >= LEAST:
                found.append({"by": by, "slice": one, **_mean(values, str(metric), seed=seed)})
    return found


def _mean(values: pl.DataFrame, metric: str, *, seed: int) -> dict[str, Any]:
    mean, records = float(values["value"].to_numpy().mean()), values["record"].n_unique()
    if metric in SHARES:
        low, high = wilson(mean * records, records)
    else:
        generator = chance.generator(seed, f"mean {metric}")
        low, high = clustered(values["value"].to_numpy(), values["record"].to_numpy(), generator=generator)
    kind = "wilson" if metric in SHARES else "bootstrap by record"
    counts = {"n": values.height, "records": records}
    return {"metric": metric, **counts, "mean": mean, "low": low, "high": high, "interval": kind}


def labelled(predictions: pl.DataFrame, *, seed: int) -> list[dict[str, Any]]:
    """Return what each source with a label set says of its labels.

    Args:
        predictions: record, source, task, label and said, null where a row has no options; of families whose options
            are the same for all rows.
        seed: of the bootstrap.

    Returns:
        For each source: accuracy, macro F1 with a 95 % interval that draws records, what saying always the commonest
        label would reach, and the confusion (wanted, said, n).
    """
    found = []
    closed = predictions.filter(pl.col("label").is_not_null())
    for (source,), part in sorted(closed.partition_by("source", as_dict=True).items()):
        wanted, said = part["label"].to_list(), part["said"].to_list()
        common = Counter(wanted).most_common(1)[0][0]
        low, high = _macro_f1_interval(part, seed)
        pairs = sorted(Counter(zip(wanted, said, strict=True)).items())
        found.append(
            {
                "source": source,
                "n": part.height,
                "accuracy": float(np.mean([one == other for one, other in zip(wanted, said, strict=True)])),
                "macro_f1": macro_f1(wanted, said),
                "macro_f1_low": low,
                "macro_f1_high": high,
                "always": {
                    "label": common,
                    "accuracy": wanted.count(common) / len(wanted),
                    "macro_f1": macro_f1(wanted, [common] * len(wanted)),
                },
                "confusion": [{"wanted": one, "said": other, "n": n} for (one, other), n in pairs],
            }
        )
    return found


def _macro_f1_interval(part: pl.DataFrame, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of macro F1, whole records drawn again and again."""
    generator = chance.generator(seed, "macro F1")
    groups = [(one["label"].to_list(), one["said"].to_list()) for one in part.sort("record").partition_by("record")]
    found = []
    for _ in range(RESAMPLES):
        drawn = [groups[place] for place in generator.integers(0, len(groups), size=len(groups))]
        wanted, said = ([one for group in drawn for one in group[side]] for side in (0, 1))
        found.append(macro_f1(wanted, said))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def corpora(predictions: pl.DataFrame, scores: pl.DataFrame) -> list[dict[str, Any]]:
    """Return BLEU and chrF of all answers of each task that is judged by them, which the mean of items is not."""
    tasks = scores.filter(pl.col("metric").is_in(["chrf", "bleu"]))["task"].unique().sort()
    parts = [(task, predictions.filter(pl.col("task") == task, pl.col("options").is_null())) for task in tasks]
    return [
        {"task": task, "n": part.height, **corpus(part["answer"].to_list(), part["wanted"].to_list())}
        for task, part in parts
    ]


def calibrated(predictions: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the calibration of each task with options, from the probability of the option that was chosen."""
    closed = predictions.filter(pl.col("confidence").is_not_null())
    return [
        {"task": task, "n": part.height, **calibration(part["confidence"].to_numpy(), part["right"].to_numpy())}
        for (task,), part in sorted(closed.partition_by("task", as_dict=True).items())
    ]


def beside(scores: Mapping[str, pl.DataFrame], *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the difference of each other model to the first, by task and measure, over the rows that both answered.

    The interval is that of the mean of paired differences, drawn by record.

    Args:
        scores: by model; the first one is what the others are compared with.
        seed: of the bootstrap.
    """
    names: Sequence[str] = list(scores)
    first = scores[names[0]]
    for other in names[1:]:
        pairs = first.join(scores[other].select("id", "metric", other=pl.col("value")), on=["id", "metric"])
        pairs = pairs.with_columns(difference=pl.col("other") - pl.col("value"))
        for (task, metric), part in sorted(pairs.partition_by("task", "metric", as_dict=True).items(), key=repr):
            generator = chance.generator(seed, f"difference {metric}")
            values = part["difference"].to_numpy()
            low, high = clustered(values, part["record"].to_numpy(), generator=generator)
            means = {"mean": float(part["other"].to_numpy().mean()), "difference": float(values.mean())}
            yield {"model": other, "task": task, "metric": metric, "n": part.height, **means, "low": low, "high": high}
