"""Measure choices for diversity beside their peers: `python bench/selection.py [--part PART] [--out FILE]`.

`mix`: 10,000 rows drawn from the published mix, embedded by their first 250 characters, exact and near copies removed;
a table of what each method chooses at 10 %, with seconds and memory. `budgets`: facility location as by default, alone
and with quotas by cluster, beside random rows at other budgets, there and, with `--demo runs/demo`, on the rows that
the demo's step saw. `speed`: plain numpy, apricot-select and submodlib beside ours in processes of their own, one
thread, CPU seconds; 50,000 and 100,000 rows are seeded synthetic vectors in 384 dimensions (clusters of lognormal
sizes, a tenth near copies), as embedding so many texts takes an hour.
Needs the peers: pip install --no-deps apricot-select==0.6.1 submodlib-py==0.0.3 (extra `bench`).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
import orjson  # noqa: E402
import polars as pl  # noqa: E402

from curate import chance, choices, embed, facility, neighbours, picks  # noqa: E402
from curate.neighbours import Indices, Vectors  # noqa: E402
from curate.steps import diversity, near  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MIX = ROOT.parent / "shared" / "data" / "mix" / "p3_rendered.jsonl.gz"
OUT = ROOT / "bench" / "results" / "select.json"
SEED, ROWS, CHARACTERS, SHARE = 13, 10_000, 250, 10
BUDGETS = {"mix": (0.01, 0.05, 0.1, 0.3, 0.5), "demo": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 300 / 552, 400 / 552)}
TABLE: dict[str, dict[str, Any]] = {
    "facility location": {"method": "facility"},
    "stochastic greedy": {"method": "stochastic", "picks": 658},
    "k-centre": {"method": "k-centre"},
    "threshold 0.9": {"method": "threshold"},
    "threshold 0.7": {"method": "threshold", "threshold": 0.7},
    "k-DPP": {"method": "dpp"},
    "cluster quotas": {"method": "random", "by": "cluster"},
    "facility, cluster quotas": {"method": "facility", "by": "cluster"},
    "farthest tasks": {"method": "random", "by": "task", "power": 0.0},
    "random": {"method": "random"},
    "longest": {"method": "longest"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["mix", "budgets", "speed"], help="only this part")
    parser.add_argument("--demo", type=Path, help="a finished run of the demo")
    parser.add_argument("--folder", type=Path, help="keep embeddings here")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return worker(*given.worker)
    found = orjson.loads(given.out.read_bytes()) if given.out.is_file() else {}
    with tempfile.TemporaryDirectory(prefix="curate-select-") as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        state, texts = published(folder)
        np.save(folder / "mix.npy", state["vector"].to_numpy())
        if given.part in (None, "mix"):
            found["mix"] = table(state, texts, folder)
        if given.part in (None, "budgets"):
            found["budgets"] = {"mix": budgets(state, texts, BUDGETS["mix"])}
            if given.demo:
                found["budgets"]["demo"] = budgets(*demo(given.demo, folder), BUDGETS["demo"])
        if given.part in (None, "speed"):
            found["speed"] = speed(folder)
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    names = ("numpy", "numba", "apricot-select", "submodlib-py")
    found |= {"command": "python bench/selection.py", "seed": SEED}
    parts = [given.part] if given.part else ["mix", "budgets", "speed"]
    found.setdefault("commit", {}).update(dict.fromkeys(parts, commit))
    installed = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    found.setdefault("versions", {}).update({name: installed[name] for name in names if name in installed})
    given.out.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    print(f"wrote {given.out}")
    return 0


def published(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return state and texts of rows of the mix that are no copies of each other."""
    mix = pl.read_ndjson(MIX).with_row_index("n").with_columns(pl.col("n").cast(pl.String).str.zfill(6).alias("id"))
    draws = pl.Series("draw", chance.uniforms(SEED, mix["id"].to_list(), "bench select"))
    drawn = mix.with_columns(draws).sort("draw").head(ROWS).sort("id")
    # The published name of a template begins with that of its data set, which stands for the task here.
    task = pl.col("template").str.split_exact("_", 1).struct.field("field_0")
    whole = pl.concat_str("prompt", "completion", separator="\n")
    rows = drawn.select("id", "prompt", "template", task.alias("task"), response="completion", content=whole)
    rows = rows.with_columns(record="id", source=pl.lit("mix"), lang=pl.lit("en"))
    kept = near.decide(rows.select("id", "record", "source").hstack(near.state(rows)), threshold=0.8, workers=1)
    rows = rows.filter(kept.signals["rank"] == 0)
    encoder = embed.load()
    state = diversity.state(
        rows.with_columns(content=pl.col("content").str.slice(0, CHARACTERS)),
        vectors=lambda texts: encoder.encode(texts, cache=folder / "cache"),
    )
    print(f"{ROWS:,} rows drawn, {rows.height:,} without near copies", flush=True)
    return rows.select("id", "record", "source", "task", "template", "lang").hstack(state), rows


def table(state: pl.DataFrame, rows: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Return what each method chooses at a tenth, with its measures; `random` with its interval."""

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": list(ids)}).join(rows, on="id", how="left", maintain_order="left")

    lines: list[dict[str, Any]] = []
    vectors = neighbours.gridded(state["vector"].to_numpy())
    alone = {}
    for name, arguments in TABLE.items():
        done = apart(f"order {arguments['method']}", folder / "mix.npy", folder / "order.npy")
        alone[name] = {key: value for key, value in orjson.loads(done.stdout).items() if key != "seconds"}
    for name, arguments in TABLE.items():
        found = diversity.decide(state, seed=SEED, texts=texts, **arguments).tables["choices"]
        for one in found.iter_rows(named=True):
            # At equal tokens the baselines differ with the choice, at equal rows they do not.
            baseline = one["choice"] != "chosen"
            if baseline != (one["equal"] == "rows") or (baseline and name == "random"):
                lines.append({"method": name, **one, **({} if baseline else alone[name])})
        chosen = found.row(by_predicate=(pl.col("equal") == "rows") & (pl.col("choice") == "chosen"), named=True)
        figures = "  ".join(f"{key} {chosen[key]:.4g}" for key in choices.MEASURES)
        print(f"{name:<26}{figures}  {alone[name]}", flush=True)
    return {"rows": state.height, "characters": CHARACTERS, "dimensions": vectors.shape[1], "table": lines}


def demo(run: Path, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return state and rows of what the step `diversity` of a run of the demo ranked."""
    rows = pl.read_parquet(run / "rows.parquet").filter(pl.col("diversity.rank").is_not_null())
    encoder = embed.load()
    state = diversity.state(rows, vectors=lambda texts: encoder.encode(texts, cache=folder / "cache"))
    names = ("id", "record", "source", "task", "template", "lang")
    return rows.select(names).hstack(state), rows.select(*names, "prompt", "response", "content")


def budgets(state: pl.DataFrame, rows: pl.DataFrame, sizes: Sequence[float]) -> list[dict[str, Any]]:
    """Return the measures of facility location beside the range of random choices, at equal rows."""

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": list(ids)}).join(rows, on="id", how="left", maintain_order="left")

    lines = []
    ways: Sequence[dict[str, Any]] = ({}, {"varied": False}, {"by": "cluster"})
    for share, way in [(share, way) for share in sizes for way in ways]:
        told = diversity.decide(state, seed=SEED, texts=texts, budget=round(share * state.height), **way).tables
        found = {one["choice"]: one for one in told["choices"].filter(equal="rows").iter_rows(named=True)}
        settings = dict(told["settings"].iter_rows())
        line: dict[str, Any] = {"share": round(share, 4), **way, "chosen": int(settings["choice"])}
        line["rows"] = state.height
        line["different"] = int(settings["different"])
        for name in choices.MEASURES:
            sides = {"chosen": "chosen", "random": "random", "low": "random low", "high": "random high"}
            line[name] = {key: found[side][name] for key, side in sides.items()}
        lines.append(line)
        print(share, way, {name: line[name] for name in ("radius", "facility", "vendi", "copies_share")}, flush=True)
    return lines


def ordered(method: diversity.Method) -> Callable[[Vectors, int], Indices]:
    """Return how a method of the step orders rows."""

    def run(vectors: Vectors, count: int) -> Indices:
        ids = [str(number) for number in range(len(vectors))]
        rows = pl.DataFrame({"id": ids, "draw": chance.uniforms(SEED, ids, "diversity")})
        rows = rows.with_columns(walk=0.0, length=pl.int_range(pl.len()))
        settings = diversity.Settings(neighbours=64, picks=count, threshold=0.9, varied=True)
        return diversity._ordered(rows, vectors, method=method, seed=SEED, settings=settings)[0]

    return run


def apart(name: str, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run one method in a process of its own."""
    asked = [sys.executable, __file__, "--worker", name, str(data), str(out)]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def synthetic(size: int, dimensions: int = 384) -> Vectors:
    """Return clustered unit vectors: a subject to fifty rows, of lognormal sizes and spreads, a tenth near copies."""
    draw = chance.generator(SEED, "synthetic vectors")
    subjects = max(8, size // 50)
    centres = 0.8 * draw.normal(size=(60, dimensions))[draw.integers(60, size=subjects)]
    centres += draw.normal(size=(subjects, dimensions))
    weights = draw.lognormal(size=subjects)
    vectors = centres[draw.choice(subjects, size, p=weights / weights.sum())]
    vectors += draw.normal(size=vectors.shape) * draw.uniform(0.3, 1.2, size=(size, 1))
    copies = draw.choice(size, size // 10, replace=False)
    vectors[copies] = vectors[draw.integers(size, size=len(copies))]
    vectors[copies] += 0.05 * draw.normal(size=(len(copies), dimensions))
    found: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def plain_k_centre(vectors: Vectors, count: int) -> Indices:
    """Farthest-first as it is written in a few lines of numpy: all rows after each pick."""
    halves = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    near, order = np.full(len(vectors), np.inf, dtype=np.float32), [0]
    while len(order) < count:
        near = np.minimum(near, (halves[order[-1]] - vectors @ vectors[order[-1]]) + halves)
        near[order[-1]] = -np.inf
        order.append(int(near.argmax()))
    return np.array(order)


def our_k_centre(vectors: Vectors, count: int) -> Indices:
    return picks.farthest_first(vectors, start=0, picks=count)[:count]


def our_facility(vectors: Vectors, count: int) -> Indices:
    return facility.lazy(facility.turned(*neighbours.graph(vectors, count=64, seed=SEED)), vectors, 0, 0.0)[0][:count]


def our_varied(vectors: Vectors, count: int) -> Indices:
    near, alike = facility.turned(*neighbours.graph(vectors, count=64, seed=SEED)), facility.alikeness(vectors)
    return facility.lazy(near, vectors, 5000, alike)[0][:count]


def our_stochastic(vectors: Vectors, count: int) -> Indices:
    near = facility.turned(*neighbours.graph(vectors, count=64, seed=SEED))
    sample = int(np.ceil(len(vectors) / count * np.log(10)))
    return facility.stochastic(near, chance.generator(SEED, "stochastic").random((count, sample)))[0][:count]


def apricot(vectors: Vectors, count: int) -> Indices:
    from apricot import FacilityLocationSelection

    similar = np.maximum(vectors @ vectors.T, 0)
    found = FacilityLocationSelection(count, metric="precomputed", optimizer="lazy").fit(similar)
    return np.asarray(found.ranking)


def submodlib(vectors: Vectors, count: int, optimizer: str = "LazyGreedy") -> Indices:
    from submodlib.functions.facilityLocation import FacilityLocationFunction

    similar = np.maximum(vectors @ vectors.T, 0)
    found = FacilityLocationFunction(n=len(vectors), mode="dense", sijs=similar, separate_rep=False)
    chosen = found.maximize(budget=count, optimizer=optimizer, show_progress=False)
    return np.array([row for row, _ in chosen])


METHODS: dict[str, Callable[[Vectors, int], Indices]] = {
    "k-centre, plain numpy": plain_k_centre,
    "k-centre": our_k_centre,
    "facility location": our_facility,
    "facility location, varied": our_varied,
    "stochastic greedy": our_stochastic,
    "facility location, apricot": apricot,
    "facility location, submodlib": submodlib,
    "stochastic greedy, submodlib": lambda vectors, count: submodlib(vectors, count, "StochasticGreedy"),
}
RUNS = {
    "mix": tuple(METHODS),
    "10000": tuple(METHODS),
    "50000": (
        "k-centre, plain numpy",
        "k-centre",
        "facility location",
        "facility location, varied",
        "stochastic greedy",
    ),
    "100000": ("k-centre", "facility location", "facility location, varied", "stochastic greedy"),
}


def speed(folder: Path) -> list[dict[str, Any]]:
    """Run each method in a process of its own; return seconds, memory above the vectors, and the value."""
    lines: list[dict[str, Any]] = []
    for data, names in RUNS.items():
        path = folder / f"{data}.npy"
        if data != "mix":
            np.save(path, synthetic(int(data)))
        vectors = neighbours.gridded(np.load(path))
        orders = {}
        for name in names:
            out = folder / "order.npy"
            done = apart(name, path, out)
            if done.returncode:
                lines.append({"data": data, "method": name, "error": done.stderr.strip().split("\n")[-1][:300]})
                print(lines[-1], flush=True)
                continue
            orders[name] = np.load(out)
            near = whole(vectors, orders[name])
            one = {"data": data, "rows": len(vectors), "chosen": len(orders[name]), "method": name}
            lines.append({**one, **orjson.loads(done.stdout), "facility": float(np.maximum(near, 0).mean())})
            print(lines[-1], flush=True)
        same = [np.array_equal(orders[a], orders[b]) for a, b in [("k-centre", "k-centre, plain numpy")] if b in orders]
        lines += [{"data": data, "k-centre as plain": one} for one in same]
    return lines


def whole(vectors: Vectors, chosen: Indices) -> np.ndarray[Any, Any]:
    """Return the cosine of every row to the nearest one chosen."""
    parts = [(vectors[at : at + 1000] @ vectors[chosen].T).max(axis=1) for at in range(0, len(vectors), 1000)]
    return np.concatenate(parts)


def worker(name: str, path: str, out: str) -> int:
    """Measure one method alone, warmed up on a few rows."""
    method = ordered(name.removeprefix("order ")) if name.startswith("order ") else METHODS[name]  # type: ignore[arg-type]
    vectors = neighbours.gridded(np.load(path))
    method(vectors[:300].copy(), 30)
    method(np.ascontiguousarray(vectors[: neighbours.EXACT + 100]), 30)
    before, usage, started = peak_mib(reset=True), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    order = method(vectors, len(vectors) // SHARE)
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    np.save(out, order)
    found = {"cpu_seconds": round(spent, 3), "seconds": round(time.perf_counter() - started, 3)}
    print(orjson.dumps({**found, "extra_mib": round(peak_mib() - before, 1)}).decode())
    return 0


def peak_mib(*, reset: bool = False) -> float:
    """Return the peak memory, or start a new one and return what is in use."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    name = "VmRSS" if reset else "VmHWM"
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    sys.exit(main())
