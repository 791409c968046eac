"""Near-duplicate removal by us and by each peer: a Parquet file in, the numbers of the kept rows out.

Called by `dedup.py` in a process of its own: `python methods.py METHOD CORPUS ROWS THRESHOLD WORKERS OUT.npy` prints
seconds, CPU seconds and memory above that after the imports and a warm-up on 300 rows.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
for _name in THREADS:
    os.environ[_name] = sys.argv[5] if len(sys.argv) > 5 else "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
import orjson  # noqa: E402
import polars as pl  # noqa: E402

SHINGLE, PERMUTATIONS, BANDS = 5, 128, 16
WORD = re.compile(r"\w+")
# Given a Parquet file, how many of its rows, the threshold and the threads: the numbers of the rows that stay.
Method = Callable[[str, int, float, int], list[int]]


def ours(step: str, *, shingle: int = SHINGLE, sweep: bool = False) -> Method:
    """Return one of our steps, called as the engine does."""

    def run(path: str, count: int, threshold: float, workers: int) -> list[int]:
        from importlib import import_module

        module = import_module(f"curate.steps.{step}")
        rows = pl.read_parquet(path, columns=["text"], n_rows=count)
        ids = pl.select(pl.int_range(rows.height).cast(pl.String).str.zfill(9)).to_series()
        rows = rows.select(id=ids, record=ids, content="text")
        if workers > 1:
            # The engine gives slices to processes; here threads, as the compiled code runs beside each other.
            from concurrent.futures import ThreadPoolExecutor

            parts = [rows[start : start + 25_000] for start in range(0, rows.height, 25_000)]
            with ThreadPoolExecutor(workers) as pool:
                state = pl.concat(pool.map(lambda part: module.state(part, shingle=shingle), parts))
        else:
            state = module.state(rows, shingle=shingle)
        state = rows.select("id", "record").hstack(state)
        del rows  # the engine holds no texts either while a step decides
        given = {"threshold": threshold, "workers": workers, "sweep": sweep}
        found = module.decide(state, **given).signals
        kept: list[int] = np.flatnonzero(found["rank"].to_numpy() == 0).tolist()
        return kept

    return run


def texts_of(path: str, count: int) -> list[str]:
    texts: list[str] = pl.read_parquet(path, columns=["text"], n_rows=count)["text"].to_list()
    return texts


def shingles(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return list({" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))})


def rensa(path: str, count: int, threshold: float, workers: int) -> list[int]:
    from rensa import RMinHashDeduplicator

    index = RMinHashDeduplicator(threshold=threshold, num_perm=PERMUTATIONS, use_lsh=True, num_bands=BANDS)
    flags = index.add_pairs((str(row), shingles(text)) for row, text in enumerate(texts_of(path, count)))
    return [row for row, kept in enumerate(flags) if kept]


def gaoya(path: str, count: int, threshold: float, workers: int) -> list[int]:
    from gaoya.minhash import MinHashStringIndex

    texts = texts_of(path, count)
    rows = PERMUTATIONS // BANDS
    index = MinHashStringIndex(32, threshold, BANDS, rows, None, "word", True, (SHINGLE, SHINGLE), "vec")
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    return components(len(texts), index.par_bulk_query(texts))


def datasketch(path: str, count: int, threshold: float, workers: int) -> list[int]:
    import xxhash
    from datasketch import MinHash, MinHashLSH

    sets = [[shingle.encode() for shingle in shingles(text)] for text in texts_of(path, count)]
    signed = MinHash.bulk(sets, num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS))
    links = []
    for row, one in enumerate(signed):
        links.append(index.query(one))
        index.insert(row, one, check_duplication=False)
    return components(len(sets), links)


def components(size: int, links: list[list[int]]) -> list[int]:
    """Return the first row of each connected component, what users of an index without a policy do."""
    parent = list(range(size))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for row, others in enumerate(links):
        for other in others:
            first, second = root(row), root(other)
            parent[max(first, second)] = min(first, second)
    return [row for row in range(size) if parent[row] == row]


METHODS: dict[str, Method] = {
    "near": ours("near"),
    "near with all pairs": ours("near", sweep=True),
    "minhash": ours("minhash"),
    "near, 3 words": ours("near", shingle=3),
    "minhash, 3 words": ours("minhash", shingle=3),
    "rensa": rensa,
    "gaoya": gaoya,
    "datasketch": datasketch,
}


def status(name: str) -> int:
    """Return a figure of this process in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    name, corpus, rows, threshold, workers, out = sys.argv[1:7]
    run = METHODS[name]
    given = float(threshold), int(workers)
    run(corpus, 300, *given)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    usage, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    kept = run(corpus, int(rows), *given)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    np.save(out, np.array(kept, dtype=np.int64))
    spent = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    found = {"cpu_seconds": round(spent, 3), "seconds": round(seconds, 3), "kept": len(kept)}
    print(orjson.dumps({**found, "peak_mib": round((status("VmHWM") - before) / 1024)}).decode())


if __name__ == "__main__":
    main()
