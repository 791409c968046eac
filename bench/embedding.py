"""Measure the backends of the encoder: `python bench/embedding.py [--part short|whole] [--out FILE]`.

Rows of the published mix, `short` their first 250 characters (as bench/selection.py embeds them), `whole` cut by the
model at 256 tokens. Each block of rows is embedded by plain sentence-transformers and by every backend in turn, so that
a machine that is busy is so for all; one thread, CPU seconds. `neighbours` is the share of the ten nearest rows that a
backend and plain sentence-transformers in float32 agree on, over all rows. The backends of openvino need the extra of
that name. `words` is the encoder without a model (`tf-idf`), fitted on the same rows.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
import orjson  # noqa: E402
import polars as pl  # noqa: E402

from curate import backends, chance, embed, lexical  # noqa: E402
from curate.errors import UserError  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MIX = ROOT.parent / "shared" / "data" / "mix" / "p3_rendered.jsonl.gz"
OUT = ROOT / "bench" / "results" / "embedding.json"
SEED, BLOCK, WARM, CHARACTERS = 13, 300, 100, 250
# Whole rows take five times as long.
ROWS = {"short": 3_000, "whole": 600}
PLAIN = "sentence-transformers, plain"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=list(ROWS), help="only this part")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    versions = ("torch", "transformers", "sentence-transformers", "openvino", "numpy")
    found = orjson.loads(given.out.read_bytes()) if given.out.is_file() else {}
    found |= {
        "command": "python bench/embedding.py", "block": BLOCK, "seed": SEED, "threads": 1, "processor": processor(),
        "versions": {name: version(name) for name in versions}, "model": embed.DEFAULT,
    }  # fmt: skip
    failures, ways = started()
    for part in [given.part] if given.part else ROWS:
        found[part] = {"commit": commit(), "n": ROWS[part], "failures": failures}
        texts = [text[:CHARACTERS] if part == "short" else text for text in drawn(ROWS[part] + WARM)]
        for way in ways.values():
            way(texts[:WARM])  # kernels are compiled for each shape
        seconds, vectors = measured(ways, texts[WARM:])
        found[part]["table"] = table(seconds, vectors)
        found[part]["words"] = words(texts[WARM:], sum(seconds[PLAIN]), vectors[PLAIN])
        given.out.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        for line in found[part]["table"]:
            print(part, line)
    return 0


def drawn(count: int) -> list[str]:
    """Return texts of rows drawn by hash, in that order."""
    mix = pl.read_ndjson(MIX).with_row_index("n").with_columns(pl.col("n").cast(pl.String).str.zfill(6).alias("id"))
    mix = mix.with_columns(pl.Series("draw", chance.uniforms(SEED, mix["id"].to_list(), "bench embedding")))
    rows = mix.with_columns(text=pl.concat_str("prompt", "completion", separator="\n")).unique("text", keep="first")
    return rows.sort("draw").head(count)["text"].to_list()


def started() -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return what could not be started, and how each way embeds texts, the peer first."""
    import torch

    torch.set_num_threads(1)
    network = embed.load()._network
    ways: dict[str, Any] = {
        PLAIN: lambda texts: network.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    }
    failures = []
    for name in backends.NAMES:
        try:
            encoder = embed.load(backend=name)
            encoder._forward  # noqa: B018  # with its check
            ways[name] = encoder.encode
        except UserError as error:
            failures.append({"backend": name, "error": str(error)})
    return failures, ways


def measured(ways: dict[str, Any], texts: list[str]) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Return CPU seconds by block and all vectors of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, list[Any]] = {name: [] for name in ways}
    for start in range(0, len(texts), BLOCK):
        for name, way in ways.items():
            before = time.process_time()
            vectors[name].append(way(texts[start : start + BLOCK]))
            seconds[name].append(time.process_time() - before)
            print(f"{start:>6} {name:<30} {seconds[name][-1]:.2f} s", flush=True)
    return seconds, {name: np.concatenate(found) for name, found in vectors.items()}


def table(seconds: dict[str, list[float]], vectors: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line for each way."""
    lines = []
    for name, found in vectors.items():
        ratios = [plain / own for plain, own in zip(seconds[PLAIN], seconds[name], strict=True)]
        told = backends.agreement(vectors[PLAIN], found)
        line = {"backend": name, "cpu_seconds": round(sum(seconds[name]), 2)}
        line |= {"ratio": round(sum(seconds[PLAIN]) / sum(seconds[name]), 3)}
        line |= {"ratio_least": round(min(ratios), 3), "ratio_most": round(max(ratios), 3)}
        lines.append(line | {"neighbours": told["neighbours"], "cosine_least": told["cosine"]})
    return lines


def words(texts: list[str], plain: float, vectors: Any) -> dict[str, Any]:
    """Return CPU seconds to fit and embed by words, how that compares with a plain encoder, and shared neighbours."""
    before = time.process_time()
    found = lexical.load("bench", lambda: texts, steps=["map"]).encode(texts)
    spent = time.process_time() - before
    wide = np.zeros_like(vectors)
    wide[:, : found.shape[1]] = found  # neighbours alone are compared
    shared = backends.agreement(vectors, wide)["neighbours"]
    return {"cpu_seconds": round(spent, 2), "ratio": round(plain / spent, 1), "neighbours": shared}


def processor() -> str:
    """Return the processor's name and what of its abilities matters here."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    flags = next(line for line in lines if line.startswith("flags")).split()
    return f"{name}, {'with' if {'avx512_bf16', 'amx_bf16'} & set(flags) else 'without'} bf16"


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
