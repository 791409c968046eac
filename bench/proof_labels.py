"""Label noise and our filter, a loss-based filter that deletes classes, selection on a skewed pool, A against A.

The judge is a classifier on n-grams of words; what filters and selects works on sentence vectors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from proof_data import Records, Scores, ordered, over, probed, rows, skewed, sources, suspects, taken_out, vectors

from curate import chance, engine
from curate.api import Run
from curate.recipe import parse
from curate.steps import diversity
from tune import statistics
from tune.plant import plant

Plan = Mapping[str, Any]
Cell = dict[str, Any]


def labels(seed: int, plan: Plan) -> Cell:
    """Three labels in ten wrong: all rows, our filter, as many dropped by chance, the wrong ones dropped."""
    parts, facts = {}, {}
    for name, records in sources().items():
        order = ordered(records, seed, "draw")
        judged, drawn = order[: plan["items"]], order[plan["items"] : plan["items"] + 2 * plan["rows"]]
        parts[name], facts[name] = _filtered(drawn, judged, seed=seed, plan=plan)
    return {"arms": over(parts), "facts": {"sources": parts, "filter": facts}}


def _filtered(drawn: Records, judged: Records, *, seed: int, plan: Plan) -> tuple[dict[str, Scores], dict[str, Any]]:
    """Return the scores of all arms of one source, and how well the filter found what was planted."""
    count = plan["rows"]
    clean = drawn[:count]
    raw, wrong = plant(clean, [], defect="label_noise", share=plan["share"], seed=seed)
    doubted, rate = suspects(raw, seed=seed)
    kept = [one for one, out in zip(raw, doubted, strict=True) if not out]
    more, _ = plant(drawn, [], defect="label_noise", share=plan["share"], seed=seed)
    again, _ = suspects(more, seed=seed)
    arms = {
        "raw": raw,
        "filtered": kept,
        "random drop": taken_out(raw, count - len(kept), seed=seed, purpose="random drop"),
        "oracle": [one for place, one in enumerate(raw) if place not in set(wrong)],
        "filtered, refilled": [one for one, out in zip(more, again, strict=True) if not out][:count],
        "clean": clean,
    }
    found = {place for place, out in enumerate(doubted) if out}
    hits = len(found & set(wrong))
    facts = {"noise_estimated": rate, "noise_planted": len(wrong) / count, "dropped": len(found),
             "precision": hits / max(1, len(found)), "recall": hits / max(1, len(wrong)),
             "refilled_rows": len(arms["filtered, refilled"])}  # fmt: skip
    scores = {name: probed(part, judged, seed=seed, examples=count) for name, part in arms.items()}
    return scores, facts


def loss_filter(seed: int, plan: Plan) -> Cell:
    """The rows of highest loss dropped, which are those of the rare classes; every arm is the mix of a run."""
    parts: dict[str, dict[str, Scores]] = {}
    alerts: dict[str, Any] = {}
    for name, (pool, judged) in _rare(seed, plan).items():
        noisy, _ = plant(pool, [], defect="label_noise", share=plan["noise"], seed=seed)
        parts[name] = {}
        with tempfile.TemporaryDirectory(prefix="curate-proof-") as place:
            for arm, (mix, told) in _runs(noisy, seed=seed, share=plan["share"], folder=Path(place)).items():
                parts[name][arm] = probed(mix, judged, seed=seed, examples=len(noisy))
                alerts.setdefault(arm, {})[name] = told
    return {"arms": over(parts), "facts": {"sources": parts, "runs": alerts}}


def _rare(seed: int, plan: Plan) -> dict[str, tuple[Records, Records]]:
    """Return pools with rare classes, and what judges them: tweets as they are, intents made so."""
    order = ordered(sources()["tweets"], seed, "draw")
    tweets = order[plan["items"] : plan["items"] + plan["rows"]], order[: plan["items"]]
    few, much, rare = plan["frequent"], plan["frequent_rows"], plan["rare_rows"]
    pool, judged = skewed(sources()["intents"], seed=seed, frequent=(few, much), rare=rare, judged=plan["judged"])
    return {"tweets": tweets, "intents": (pool, judged)}


def _losses(records: Sequence[Mapping[str, Any]], *, seed: int) -> np.ndarray[Any, Any]:
    """Return the loss of each label, (n,), by a half-trained model that was not shown it (two folds).

    It is held back by its penalty, as a model stopped early would be: what it has not learnt yet are the rare classes.
    """
    from sklearn.linear_model import LogisticRegression

    found = vectors([one["slots"]["text"] for one in records])
    given = np.array([one["slots"]["label"] for one in records])
    fold = np.array([chance.pick(seed, one["record"], "loss fold", size=2) for one in records])
    losses = np.zeros(len(given))
    for part in (0, 1):
        model = LogisticRegression(C=0.3, max_iter=500).fit(found[fold != part], given[fold != part])
        place = {name: number for number, name in enumerate(model.classes_)}
        logs = model.predict_log_proba(found[fold == part])
        losses[fold == part] = [
            -row[place[name]] if name in place else np.inf for row, name in zip(logs, given[fold == part], strict=True)
        ]
    return losses


def _runs(records: Records, *, seed: int, share: float, folder: Path) -> dict[str, tuple[Records, dict[str, Any]]]:
    """Return the mix of a run under each filter, and what the run's report says of labels."""
    path = folder / "data.jsonl"
    path.write_bytes(b"".join(orjson.dumps({**one["slots"], "key": one["record"]}) + b"\n" for one in records))
    source = {"name": records[0]["source"], "path": str(path), "task": "classification", "key": "key"}
    raw = _run(source, [], seed=seed, out=folder / "raw")
    origin = {one["slots"]["text"]: one for one in records}
    ids = raw.rows.select("id", "slots").sort("id")
    own = [origin[orjson.loads(slots)["text"]] for slots in ids["slots"]]
    losses, count = _losses(own, seed=seed), round(share * len(own))
    worst = np.zeros(len(own), dtype=bool)
    worst[np.argsort(-losses, kind="stable")[:count]] = True
    left = {one["record"] for one in taken_out(own, count, seed=seed, purpose="random drop")}
    chosen = [one["record"] not in left for one in own]
    table = ids.select("id").with_columns(loss=pl.Series(worst), random=pl.Series(chosen))
    table.write_parquet(folder / "drop.parquet")
    step = {"step": "table", "path": str(folder / "drop.parquet")}
    rules = {
        "loss filter": (step, {"signal": "table.loss", "is": False, "why": "the highest losses out of fold"}),
        "random drop": (step, {"signal": "table.random", "is": False, "why": "as many by chance"}),
        "our filter": ({"step": "label_noise"}, {"signal": "label_noise.suspect", "is": False, "why": "wrong labels"}),
    }
    found = {"raw": (own, {"dropped": 0, "alerts": []})}
    for name, (use, keep) in rules.items():
        stage = {"name": "filter", "steps": [use], "keep": [keep]}
        run = _run(source, [stage], seed=seed, out=folder / name.replace(" ", "-"))
        kept = [origin[orjson.loads(slots)["text"]] for slots in run.mix["slots"]]
        alerts = [one["text"] for one in run.report()["alerts"] if one["section"] == "labels"]
        # Of labels that go: single ones, or all but one of a source.
        said = [text for text in alerts if " lose" in text or "is left with one" in text]
        found[name] = (kept, {"dropped": len(own) - len(kept), "alerts": said})
    return found


def _run(source: dict[str, Any], stages: list[dict[str, Any]], *, seed: int, out: Path) -> Run:
    """Return a run of a recipe with one wording of each record."""
    data = {"name": "proof", "seed": seed, "sources": [source], "templates": {"per_record": 1}, "stages": stages}
    engine.execute(parse(data, file="proof", base=out.parent), out=out)
    return Run(out)


def selection(seed: int, plan: Plan) -> Cell:
    """Few rows chosen from a pool in which few intents have most rows."""
    few, much, rare = plan["frequent"], plan["frequent_rows"], plan["rare_rows"]
    pool, judged = skewed(sources()["intents"], seed=seed, frequent=(few, much), rare=rare, judged=plan["judged"])
    pool = sorted(pool, key=lambda one: str(one["record"]))
    known = rows(pool)
    state = diversity.state(known, vectors=vectors).with_columns(length=known["prompt"].str.len_chars().cast(pl.Int64))
    state = known.select("id", "record", "source", "task", "template", "lang").hstack(state)
    choices = {
        "facility": {"method": "facility"},
        "facility by cluster": {"method": "facility", "by": "cluster", "power": 0.0, "clusters": plan["clusters"]},
        "k-centre": {"method": "k-centre"},
        "random": {"method": "random"},
        "longest": {"method": "longest"},
    }
    scores, held = {}, {}

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": list(ids)}).join(known, on="id", how="left", maintain_order="left")

    for name, how in choices.items():
        found = diversity.decide(state, seed=seed, texts=texts, budget=plan["rows"], **how)
        chosen = [one for one, rank in zip(pool, found.signals["rank"], strict=True) if rank < plan["rows"]]
        scores[name] = probed(chosen, judged, seed=seed, examples=plan["rows"])
        held[name] = len({one["slots"]["label"] for one in chosen})
    return {"arms": scores, "facts": {"labels_in_choice": held, "pool": len(pool)}}


def null(seed: int, plan: Plan) -> Cell:
    """Arms that differ by chance alone: two random drops, two draws; and whole small experiments of such arms."""
    parts: dict[str, dict[str, Scores]] = {}
    for name, records in sources().items():
        order = ordered(records, seed, "draw")
        count = plan["rows"]
        judged, first, second = order[: plan["items"]], order[plan["items"] :][:count], order[plan["items"] + count :]
        raw, _ = plant(first, [], defect="label_noise", share=plan["share"], seed=seed)
        out = round(plan["share"] * count)
        arms = {
            "drop A": taken_out(raw, out, seed=seed, purpose="drop A"),
            "drop B": taken_out(raw, out, seed=seed, purpose="drop B"),
            "draw A": first,
            "draw B": second[:count],
        }
        parts[name] = {arm: probed(part, judged, seed=seed, examples=count) for arm, part in arms.items()}
    told = [_small(1000 * seed + number, plan) for number in range(plan["experiments"])]
    return {"arms": over(parts), "facts": {"sources": parts, "small_experiments": told}}


def _small(experiment: int, plan: Plan) -> dict[str, Any]:
    """Return p and verdict of one experiment of two arms that draw from the same pool, paired by seed."""
    records = sources()["sst2"]
    apart = []
    for number in range(plan["small_seeds"]):
        order = ordered(records, experiment * 100 + number, "small")
        size = plan["small_rows"]
        judged, arms = order[:size], (order[size : 2 * size], order[2 * size : 3 * size])
        first, second = (probed(arm, judged, seed=experiment, examples=size)["probability"] for arm in arms)
        apart.append(first - second)
    test = statistics.paired(apart)
    return {"p": test.p, "verdict": statistics.verdict(test, adjusted=test.p, margin=plan["margin"])}
