"""Tokenizers from files: texts to tokens, and which of them a trainer would learn from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from curate import chat
from curate.errors import INPUT, MISSING, UserError

TOKENIZER, CONFIG, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
_INSTALL = "pip install 'curatune[tune]'"


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer and how it wants conversations written.

    Args:
        name: of its folder, or of its file where that has a name of its own.
        sha256: of its tokenizer.json.
        fast: the tokenizer of the library `tokenizers`; it cuts and pads nothing.
        special: ids of its special tokens.
        template: its chat template, None when it has none.
        template_sha256: of the template's text.
    """

    name: str
    sha256: str
    fast: Any
    special: frozenset[int]
    template: chat.ChatTemplate | None
    template_sha256: str | None

    def render(self, turns: chat.Turns) -> chat.Rendered:
        """Write a conversation as a text, by the chat template or else plainly.

        Raises:
            ValueError: when the template fails, or leaves out, repeats or rewrites a trained turn.
        """
        return chat.plain(turns) if self.template is None else self.template.render(turns)

    def prompt(self, turns: chat.Turns) -> str:
        """Write the turns before an answer as a text that ends where the answer begins: the prefix of `render`'s.

        Raises:
            ValueError: when the template fails.
        """
        return chat.plain_prompt(turns) if self.template is None else self.template.prompt(turns)

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Return the encodings of some texts; no special token is added to those that the template wrote."""
        with _parallel():
            found: list[Any] = self.fast.encode_batch(list(texts), add_special_tokens=False)
        return found


def trained_tokens(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return which tokens are trained on, as half-open ranges of their numbers.

    A token is trained when any character of it is; a trainer that masks by characters (the assistant mask of
    transformers) does the same with a token that begins before the turn.

    Args:
        offsets: the characters of each token, in order.
        spans: of characters, in order.
    """
    found: list[tuple[int, int]] = []
    after = 0
    for start, end in spans:
        first = _first(offsets, start + 1, after, side=1)
        after = _first(offsets, end, first, side=0)
        if first < after:
            found.append((first, after))
    return found


def _first(offsets: Sequence[tuple[int, int]], place: int, low: int, *, side: int) -> int:
    """Return the first token from `low` on whose beginning (side 0) or end (side 1) is at a place or behind it."""
    high = len(offsets)
    while low < high:
        middle = (low + high) // 2
        if offsets[middle][side] >= place:
            high = middle
        else:
            low = middle + 1
    return low


def pieces(written: chat.Rendered, encoding: Any, special: frozenset[int]) -> list[dict[str, Any]]:
    """Return a text cut at the borders of its tokens; joined they are the text.

    Returns:
        For each piece its `text`, whether it is a `token` (what the tokenizer passes over is none), whether it is
        `trained`, and whether it is a `special` token.
    """
    offsets: Sequence[tuple[int, int]] = encoding.offsets
    ids: Sequence[int] = encoding.ids  # made anew each time it is asked for
    trained = {number for start, end in trained_tokens(offsets, written.trained) for number in range(start, end)}
    edges = sorted({edge for span in written.trained for edge in span})
    found: list[dict[str, Any]] = []
    place = 0
    for number, (start, end) in enumerate([*offsets, (len(written.text), len(written.text))]):
        # between two tokens: what the tokenizer passed over, cut where training begins or ends
        cuts = [place, *(edge for edge in edges if place < edge < start), start]
        for low, high in pairwise(cuts):
            within = any(one <= low and high <= other for one, other in written.trained)
            if low < high:
                found.append({"text": written.text[low:high], "token": False, "trained": within, "special": False})
        if number < len(offsets):
            text = written.text[max(start, place) : end]  # of a character's several tokens the first has its text
            kind = ids[number] in special
            found.append({"text": text, "token": True, "trained": number in trained, "special": kind})
        place = max(place, end)
    return found


def files(path: Path) -> list[Path]:
    """Return the files of a tokenizer: tokenizer.json, and beside it its configuration and chat template.

    Args:
        path: the file, or a folder that holds one.

    Raises:
        UserError: when there is none.
    """
    main = path / TOKENIZER if path.is_dir() else path
    if not main.is_file():
        what = f"holds no {TOKENIZER}" if path.is_dir() else "no such file or folder"
        fix = "name a model's folder or that file in it; `save_pretrained(FOLDER)` of transformers writes one"
        raise UserError(str(path), what, fix, code=MISSING)
    return [main, *(one for name in (CONFIG, TEMPLATE) if (one := main.parent / name).is_file())]


def load(path: Path) -> Tokenizer:
    """Return the tokenizer at a path; nothing is ever downloaded.

    Args:
        path: a `tokenizer.json`, or a folder that holds one.

    Raises:
        UserError: when a file is missing or not what it should be; status 5 when the library is not installed.
    """
    return _loaded(path, tuple((file, file.read_bytes()) for file in files(path)))


@lru_cache(maxsize=2)
def _loaded(path: Path, contents: tuple[tuple[Path, bytes], ...]) -> Tokenizer:
    """Return the tokenizer in these files; a large one takes half a second, and each slice of rows asks for it."""
    (main, data), *rest = contents
    texts = {file.name: text for file, text in rest}
    config = _json(main.parent / CONFIG, texts[CONFIG]) if CONFIG in texts else {}
    source = _template_text(main.parent, config, texts)
    fast = _fast(main, data)
    whole = path.resolve()
    return Tokenizer(
        name=whole.parent.name if whole.name == TOKENIZER else whole.name,
        sha256=sha256(data).hexdigest(),
        fast=fast,
        special=frozenset(number for number, token in fast.get_added_tokens_decoder().items() if token.special),
        template=None if source is None else _template(source, config, main.parent),
        template_sha256=None if source is None else sha256(source.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _fast(path: Path, data: bytes) -> Any:
    """Return the tokenizer of the library."""
    try:
        from tokenizers import Tokenizer as Fast
    except ImportError:
        raise UserError("tokenizer", "the library tokenizers is not installed", _INSTALL, code=MISSING) from None
    try:
        fast = Fast.from_buffer(data)
    except Exception as error:  # the library raises nothing narrower
        what = f"is no tokenizer: {str(error)[:120]}"
        raise UserError(str(path), what, f"name the {TOKENIZER} of a model", code=INPUT) from error
    fast.no_truncation()
    fast.no_padding()
    return fast


def _json(path: Path, data: bytes) -> dict[str, Any]:
    """Return the configuration of a tokenizer."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(str(path), "is no JSON object", "get the file again, or take it away", code=INPUT)
    return found


def _template_text(folder: Path, config: Mapping[str, Any], texts: Mapping[str, bytes]) -> str | None:
    """Return the chat template: the file of its own first, as transformers does; of several the one named default."""
    if TEMPLATE in texts:
        return texts[TEMPLATE].decode("utf-8", "replace")
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default", next(iter(named.values()), None))
    if found is not None and not isinstance(found, str):
        raise UserError(str(folder / CONFIG), "`chat_template` is no text", "get the file again", code=INPUT)
    return found


def _template(source: str, config: Mapping[str, Any], folder: Path) -> chat.ChatTemplate:
    """Return the chat template, which sees the special tokens by name."""
    tokens = {name: value for name, value in config.items() if name.endswith("_token")}
    try:
        return chat.compiled(
            source,
            {name: value.get("content") if isinstance(value, dict) else value for name, value in tokens.items()},
        )
    except TemplateSyntaxError as error:
        where = f"{folder}, chat template line {error.lineno}"
        raise UserError(where, str(error.message), "mend the template, or get the files again", code=INPUT) from error


@contextmanager
def _parallel() -> Iterator[None]:
    """Let the library use all threads, unless the user set otherwise, and keep it from warning of later forks."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = before or "true"
    try:
        yield
    finally:
        os.environ[name] = before or "false"  # unset, it would print a warning at the next fork
