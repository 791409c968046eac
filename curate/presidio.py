"""Find personal data by Microsoft Presidio, an extra: names and places too, which no pattern sees."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from types import MappingProxyType

from curate.errors import MISSING, UserError
from curate.personal import Span

# Presidio's entities as kinds of ours. Dates, links and groups of people are left out: they are nobody's alone.
ENTITIES = MappingProxyType(
    {
        "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban",
        "IP_ADDRESS": "ip", "US_SSN": "ssn", "PERSON": "person", "LOCATION": "place", "MEDICAL_LICENSE": "licence",
        "US_PASSPORT": "passport", "US_DRIVER_LICENSE": "licence", "UK_NHS": "health", "CRYPTO": "wallet",
    }
)  # fmt: skip
# Presidio gives a phone number without any word beside it 0.4 (its phone recogniser); below lie bare digits.
SCORE = 0.4
# The language model that Presidio loads unless told otherwise; without it there it would be downloaded.
MODEL = "en_core_web_lg"
_PLACE = "step 'pii', engine = \"presidio\""
_INSTALL = "pip install 'curatune[presidio]'"


def finder() -> Callable[[str], list[Span]]:
    """Return a function from an English text to what Presidio finds in it, in order.

    Raises:
        UserError: status 5 when Presidio or its language model is not installed; nothing is downloaded.
    """
    for package, fix in (("presidio_analyzer", _INSTALL), (MODEL, f"python -m spacy download {MODEL}")):
        if importlib.util.find_spec(package) is None:
            raise UserError(_PLACE, f"{package} is not installed", fix, code=MISSING)
    engine = importlib.import_module("presidio_analyzer").AnalyzerEngine()

    def found(text: str) -> list[Span]:
        results = engine.analyze(text=text, language="en", entities=list(ENTITIES), score_threshold=SCORE)
        spans = [(ENTITIES[one.entity_type], one.start, one.end, one.entity_type.lower()) for one in results]
        return sorted(spans, key=lambda span: (span[1], -span[2], span[0]))

    return found
