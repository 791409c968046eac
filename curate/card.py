"""What only the maker of a dataset can state: who made it, what for, and how it is to be used."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Who wrote annotations, in the words of the Hugging Face hub.
Annotators = Literal["crowdsourced", "found", "expert-generated", "machine-generated", "no-annotation", "other"]


class Card(BaseModel):
    """The optional table `card` of a recipe; the dataset card and `croissant.json` take it over word for word.

    Nothing here changes a row. What is left out stands in the card as not stated by the maker.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str | None = None
    creators: tuple[str, ...] = ()
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    version: str | None = Field(default=None, pattern=r"^\d+\.\d+\.\d+$")
    published: date | None = None
    cite: str | None = None
    motivation: str | None = None
    collection: str | None = None
    annotation: str | None = None
    uses: str | None = None
    unfit_for: str | None = None
    maintenance: str | None = None
    annotations_creators: tuple[Annotators, ...] = ()
    source_datasets: tuple[str, ...] = ()
