"""What a recipe needs beside its data: installed extras and models, and leave to ask a server."""

from __future__ import annotations

from collections.abc import Iterator

from curate import catalog, embed, remote
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


def encoder(recipe: Recipe) -> embed.Encoder | None:
    """Return the encoder when a step of the recipe asks for vectors.

    Raises:
        UserError: status 5 when the model or its extra is missing.
    """
    uses = [use for stage in recipe.stages for use in stage.steps if catalog.known(use.step)]
    if not any("vectors" in catalog.needed(catalog.describe(use.step), use.arguments) for use in uses):
        return None
    model = recipe.embedding.model
    local = recipe.resolve(model)
    return embed.load(str(local) if local.exists() else model, backend=recipe.embedding.backend)
