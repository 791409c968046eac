"""What a recipe needs beside its data: installed extras and models, and leave to ask a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from curate import catalog, embed, lexical, remote
from curate.errors import UserError
from curate.recipe import Recipe


def extras(recipe: Recipe) -> Iterator[UserError]:
    """Yield what must be installed beside."""
    if recipe.engine == "ray" and not remote.installed():
        yield remote.MISSED
    try:
        encoder(recipe)
    except UserError as error:
        yield error


def leave(recipe: Recipe) -> Iterator[UserError]:
    """Refuse steps that ask a server, without leave."""
    uses = [use for stage in recipe.stages for use in stage.steps if catalog.known(use.step)]
    asking = sorted({use.step for use in uses if "network" in catalog.describe(use.step).needs})
    if asking and not recipe.network:
        what = f"its steps ask a server, and send it the texts of the rows: {', '.join(asking)}"
        yield UserError(recipe.file, what, "see where they send it; if that is right, add --allow-network")


def encoder(
    recipe: Recipe, *, rows: str = "", texts: Callable[[], Sequence[str]] = tuple
) -> embed.Encoder | lexical.Lexical | None:
    """Return the encoder when a step of the recipe asks for vectors.

    Args:
        recipe: what to do.
        rows: hash of the rows, on which one that needs no model depends.
        texts: gives their contents.

    Raises:
        UserError: status 5 when the model or its extra is missing.
    """
    uses = [use for stage in recipe.stages for use in stage.steps if catalog.known(use.step)]
    asking = [use.step for use in uses if "vectors" in catalog.needed(catalog.describe(use.step), use.arguments)]
    if not asking:
        return None
    model = recipe.embedding.model
    if model == lexical.NAME:
        return lexical.load(rows, texts, steps=asking)
    local = recipe.resolve(model)
    return embed.load(str(local) if local.exists() else model, backend=recipe.embedding.backend)
