"""Ways to run the network of a sentence encoder, and how near each comes to full precision."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from curate.errors import MISSING, UserError

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
# Token ids and mask, both (texts, width), to vectors of any length, (texts, dimensions).
Forward = Callable[[Indices, Indices], Vectors]
Name = Literal["torch-fp32", "openvino-fp32", "openvino-bf16", "torch-bf16", "torch-int8"]
NAMES: tuple[str, ...] = get_args(Name)
# What all others are held against: it needs no further package, and runs on every processor.
REFERENCE = NAMES[0]
# Neighbours compared, as the measure of bench/embedding.py.
NEIGHBOURS = 10


@dataclass(frozen=True)
class Backend:
    """What one way to run a network asks for.

    Args:
        least: cosine of a text's vector with the one of `REFERENCE` below which the backend is refused: about ten times
            as far as the worst of 3,000 real texts was with the bundled model (bench/embedding.py), so that another
            model passes and a fault does not.
        package: what must be installed beside torch.
        alone: one text at a time: dynamic int8 scales its numbers by the largest of the whole batch, and a vector
            would depend on its neighbours.
    """

    least: float
    package: str | None = None
    alone: bool = False


BACKENDS: Mapping[str, Backend] = {
    "torch-fp32": Backend(1.0),
    "openvino-fp32": Backend(0.9999, "openvino"),
    "openvino-bf16": Backend(0.999, "openvino"),
    "torch-bf16": Backend(0.999),
    "torch-int8": Backend(0.5, alone=True),
}


def filled(tokens: Sequence[Sequence[int]], *, shape: tuple[int, int], padding: int) -> tuple[Indices, Indices]:
    """Return ids and mask of a batch, both of the shape (texts, width), filled up where there are fewer."""
    ids, mask = np.full(shape, padding, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    mask[:, 0] = 1  # a text with no token at all would divide by zero
    for row, some in enumerate(tokens):
        ids[row, : len(some)] = some
        mask[row, : len(some)] = 1
    return ids, mask


def reference(network: Any) -> Forward:
    """Return how a network of sentence-transformers is run as it is."""

    def run(ids: Indices, mask: Indices) -> Vectors:
        import torch

        with torch.inference_mode():
            given = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
            found = network({name: value.to(network.device) for name, value in given.items()})
        vectors: Vectors = found["sentence_embedding"].cpu().numpy().astype(np.float32)
        return vectors

    return run


def forward(name: str, network: Any) -> Forward:
    """Return how a backend runs a network, which itself stays as it is.

    Args:
        name: one of `NAMES`.
        network: a SentenceTransformer in float32.

    Raises:
        UserError: status 5 when the processor cannot do what the name says.
    """
    if name == REFERENCE:
        return reference(network)
    if name.startswith("openvino"):
        return _openvino(network, name.removeprefix("openvino-"))
    return reference(_changed(network, name))


def _changed(network: Any, name: str) -> Any:
    """Return a copy whose transformer runs in another precision; what comes behind it stays in float32."""
    import torch

    changed = copy.deepcopy(network)
    inner = changed[0].model  # `auto_model` is an alias: what is assigned to it is never run
    if name == "torch-bf16":
        changed[0].model = inner.to(torch.bfloat16)
    else:
        quantization: Any = importlib.import_module("torch.ao.quantization")
        # One scale for each output: with one for a whole matrix a quarter of the neighbours is lost instead of a
        # seventh.
        each = dict.fromkeys([torch.nn.Linear], quantization.per_channel_dynamic_qconfig)
        changed[0].model = quantization.quantize_dynamic(inner, each, dtype=torch.qint8)
    changed[0].register_forward_hook(_widened)
    return changed


def _widened(_module: Any, _given: Any, features: dict[str, Any]) -> dict[str, Any]:
    """Return features whose token vectors are float32, so that their mean is."""
    return {**features, "token_embeddings": features["token_embeddings"].float()}


def _openvino(network: Any, precision: str) -> Forward:
    """Return the network converted in memory and compiled for this processor."""
    import torch

    with _without_telemetry():
        openvino: Any = importlib.import_module("openvino")

    class Wrapped(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: Any, mask: Any) -> Any:
            return self.network({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]

    example = torch.ones((2, 16), dtype=torch.int64)
    with torch.inference_mode():
        model = openvino.convert_model(Wrapped(), example_input={"ids": example, "mask": example})
    wanted = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
    # As many threads as torch would take, which OMP_NUM_THREADS bounds.
    settings = {"INFERENCE_PRECISION_HINT": wanted, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    where, fix = f"embedding backend 'openvino-{precision}'", f"set backend = '{REFERENCE}' under [embedding]"
    try:
        compiled = openvino.Core().compile_model(model, "CPU", settings)
    except RuntimeError as error:
        what = f"the model does not compile: {str(error).strip().splitlines()[-1]}"
        raise UserError(where, what, fix, code=MISSING) from error
    if compiled.get_property("INFERENCE_PRECISION_HINT") != wanted:  # it falls back to float32 without a word
        raise UserError(where, f"this processor has no {precision}", fix, code=MISSING)

    def run(ids: Indices, mask: Indices) -> Vectors:
        vectors: Vectors = compiled([ids, mask])[0].astype(np.float32)
        return vectors

    return run


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide the package by which openvino reports every import of itself over the network."""
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # importing it fails, and openvino goes without
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def agreement(wanted: Vectors, found: Vectors) -> dict[str, float]:
    """Return how near vectors come to those of the reference.

    Args:
        wanted: (n, d) unit vectors of the reference, n above `NEIGHBOURS`.
        found: (n, d) those of the same texts by another backend.

    Returns:
        texts; cosine: the least one of a text's two vectors, in [-1, 1]; and neighbours: the share of the ten nearest
        texts of each that both agree on, in [0, 1].
    """
    near = [np.argsort(-(one @ one.T) + 4 * np.eye(len(one)), axis=1)[:, :NEIGHBOURS] for one in (wanted, found)]
    shared = [len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(near[0].tolist(), near[1].tolist(), strict=True)]
    cosine = float(np.einsum("ij,ij->i", wanted, found, dtype=np.float64).min())
    return {"texts": len(wanted), "cosine": round(cosine, 4), "neighbours": round(sum(shared) / len(shared), 3)}


def check(name: str, wanted: Vectors, found: Vectors) -> dict[str, float]:
    """Return the agreement of a backend with the reference, once it is near enough.

    Raises:
        UserError: status 5 when it strays, or gives the very bits of the reference and so was not put to use.
    """
    told, least = agreement(wanted, found), BACKENDS[name].least
    fix = f"set backend = '{REFERENCE}' under [embedding]"
    if np.array_equal(wanted, found):
        raise UserError(f"embedding backend '{name}'", f"gives the very bits of {REFERENCE}", fix, code=MISSING)
    if not told["cosine"] >= least:  # NaN fails too
        what = f"strays: a vector has a cosine of {told['cosine']:.4f} with that of {REFERENCE}, below {least}"
        what += f"; {told['neighbours']:.0%} of the ten nearest neighbours are the same"
        raise UserError(f"embedding backend '{name}'", what, fix, code=MISSING)
    return told
