"""Draw a sample of the rows, embed it and lay it out in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, schema
from curate.errors import UserError
from curate.schema import Measured

_Vectors = npt.NDArray[np.float32]
_Places = npt.NDArray[np.float64]
# Texts are cut here before they are embedded, at some forty words. Measured on two idle cores with 5,000 of 100,000
# rows of an instruction mix (670 characters on average): 25 s at 250 characters, 40 s at 600, 64 s uncut; projection
# and clusters take 5 s more. Of the two minutes that an audit may take, a map of subjects is worth a quarter.
CHARACTERS = 250
# Rows drawn as points: a page stays small and readable with 2,000, and t-SNE takes 4 s for them.
POINTS = 2000
# Vectors are stored as multiples of 2**-11: every sum of their products then fits float32 exactly, so that what is
# computed from them depends on no thread or library (see `diversity`); a cosine is off by less than 0.001.
_GRID = 2.0**11
# The default of the paper and of scikit-learn; its authors find results steady between 5 and 50. A quarter of it or
# less where there are few rows, as it counts neighbours and must stay well below their number.
PERPLEXITY = 30.0
# Rows with different texts below which t-SNE has no neighbourhoods to keep: their principal axes are drawn instead.
FEWEST = 10
# Half of the default: 2,000 points no longer move visibly after 500 iterations.
ITERATIONS = 500
# Clusters: the square root of half the points, a rule of thumb (Mardia, "Multivariate analysis", 1979), and no more
# than a person reads in one table.
MOST_CLUSTERS = 24


def state(rows: pl.DataFrame, *, seed: int, column: str = "content") -> pl.DataFrame:
    """Draw a number for each row.

    Args:
        rows: instruction rows.
        seed: decides, with the id, who is drawn.
        column: the text that is embedded: content (the default), prompt, response, rendered or trained. The content,
            from which the template is subtracted, because prompts of one template lie together whatever they are about.

    Returns:
        draw: f64 in [0, 1), from seed and row id alone; null where the text is null.
    """
    draws = pl.Series("draw", chance.uniforms(seed, rows["id"].to_list(), "map"), dtype=pl.Float64)
    return draws.set(schema.column_text(rows, column).is_null(), None).to_frame()


def decide(
    state: pl.DataFrame,
    *,
    seed: int,
    texts: Callable[[Sequence[str]], pl.DataFrame],
    vectors: Callable[[Sequence[str]], _Vectors],
    column: str = "content",
    size: int = 5000,
) -> Measured:
    """Embed the rows with the lowest draws, and project and cluster the first 2,000 of them.

    A sample of fewer rows is the beginning of one of more. Embeddings see the beginning of a text alone, and two
    dimensions show neighbourhoods, not distances: a map is there to find what to read, not to measure.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        seed: starts projection and clusters.
        texts: ids to whole rows.
        vectors: texts to vectors of unit length.
        column: as for the state.
        size: rows sampled; 5,000 give shares within 1.4 points, 19 times of 20.

    Signals:
        sampled (bool): whether the row is in the sample; null where the text is null.

    Tables:
        vectors: id, vector (list of f32, about unit length): the sample.
        points: id, x, y (in [-1, 1]), cluster (0 = the largest): the first 2,000 of the sample.
        settings: name, value: how sample, projection and clusters were made.
    """
    if size < 1:
        raise UserError("map", f"size = {size} is not positive", "5000 is the default")
    sample = state.filter(pl.col("draw").is_not_null()).sort("draw", "id").head(size)
    drawn = sample["id"]
    whole = sample if column in sample.columns else texts(drawn.to_list())  # a signal of an earlier stage is no text
    beginnings = schema.column_text(whole, column).str.slice(0, CHARACTERS)
    found = _rounded(vectors(beginnings.to_list()))
    shown = found[:POINTS]
    places, method = _projected(shown, seed=seed)
    points = pl.DataFrame({"id": drawn.head(POINTS), "x": places[:, 0], "y": places[:, 1]})
    clusters = _clustered(shown, seed=seed)
    settings = {"column": column, "characters": CHARACTERS, "seed": seed, "projection": method, "points": len(shown)}
    settings |= {"size": len(drawn), "rows": state.height, "clusters": len(set(clusters.tolist()))}
    list_of = pl.Series("vector", found, dtype=pl.Array(pl.Float32, found.shape[1])).arr.to_list()
    sampled = pl.when(pl.col("draw").is_not_null()).then(pl.col("id").is_in(drawn.implode()))
    return Measured(
        state.select(sampled.alias("sampled")),
        {
            "vectors": pl.DataFrame({"id": drawn, "vector": list_of}),
            "points": points.with_columns(cluster=pl.Series(clusters, dtype=pl.UInt32)),
            "settings": pl.DataFrame({"name": list(settings), "value": [str(value) for value in settings.values()]}),
        },
    )


def _rounded(vectors: _Vectors) -> _Vectors:
    """Return vectors on the grid, see `_GRID`."""
    found: _Vectors = (np.rint(vectors * np.float32(_GRID)) / np.float32(_GRID)).astype(np.float32)
    return found


def _projected(vectors: _Vectors, *, seed: int) -> tuple[_Places, str]:
    """Return a place in the plane for each row, in [-1, 1] and rounded to 0.0001, and how it was found.

    Equal vectors share one place. Source of t-SNE: van der Maaten and Hinton, "Visualizing data using t-SNE" (2008).
    """
    different, which = np.unique(vectors, axis=0, return_inverse=True)
    if len(different) < FEWEST:
        places, method = _principal(different), f"principal axes of {len(different)} different texts"
    else:
        # scikit-learn takes seconds to import, and threads would change the order of sums.
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        perplexity = min(PERPLEXITY, (len(different) - 1) / 4)
        random = _random(seed, "map projection")
        with threadpool_limits(1):
            tsne = TSNE(
                init="pca", perplexity=perplexity, max_iter=ITERATIONS, learning_rate="auto", random_state=random,
                n_jobs=1,
            )  # fmt: skip
            places = tsne.fit_transform(different).astype(np.float64)
        method = f"t-SNE of {len(different):,} different texts, perplexity {perplexity:g}, {ITERATIONS} iterations"
    centred = places - (places.min(axis=0) + places.max(axis=0)) / 2 if len(places) else places
    reach = np.abs(centred).max(initial=0.0)
    scaled: _Places = np.round(centred / reach if reach > 0 else centred, 4)[which.reshape(-1)] + 0.0
    return scaled, method


def _principal(vectors: _Vectors) -> _Places:
    """Return the first two principal coordinates, 0 where there are none; signs as that of the largest weight."""
    places = np.zeros((len(vectors), 2), dtype=np.float64)
    if len(vectors) > 1:
        wide = vectors.astype(np.float64)
        left, sizes, right = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)
        signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
        found = (left * sizes * signs)[:, :2]
        places[:, : found.shape[1]] = found
    return places


def _clustered(vectors: _Vectors, *, seed: int) -> npt.NDArray[np.int64]:
    """Return the k-means cluster of each row, the largest 0, of equals the one drawn first."""
    different = len(np.unique(vectors, axis=0))
    count = min(MOST_CLUSTERS, different, max(1, math.isqrt(len(vectors) // 2)))
    if count < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        # Four starts: the best of several is what k-means is used with, more changed nothing in the trials.
        labels = KMeans(count, n_init=4, random_state=_random(seed, "map clusters")).fit_predict(vectors)
    _, first, which, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank: npt.NDArray[np.int64] = np.argsort(order)[which].astype(np.int64)
    return rank


def _random(seed: int, purpose: str) -> int:
    """Return a seed for scikit-learn."""
    return chance.pick(seed, "", purpose, size=2**31)
