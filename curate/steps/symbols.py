"""Measure which kinds of characters and words a text is made of."""

from __future__ import annotations

import polars as pl

from curate import schema, text

# Rust's \s lacks the separators U+001C to U+001F that Python's has.
_BLANK = r"\s\x1c-\x1f"
TOKEN = text.TOKEN.pattern.replace(r"\s", _BLANK)
# A piece between blanks that holds a letter; in scripts without blanks, a character that is a letter or a mark on one.
_INSIDE = rf"{_BLANK}{text.UNSPACED}"
_ALPHABETIC = (
    rf"[[{text.UNSPACED}]&&[\p{{L}}\p{{M}}]]"
    rf"|[^{_INSIDE}\p{{L}}]*[\p{{L}}--[{text.UNSPACED}]][^{_INSIDE}]*"
)


def symbols(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Measure which kinds of characters and words a text is made of.

    A text without characters, or for the word shares without words, has no share: null.

    Args:
        rows: instruction rows.
        column: the text to measure; the response by default, since that is what the model learns to write.

    Signals:
        digit_share (f64): decimal digits of any script (Unicode Nd) / characters, in [0, 1].
        punctuation_share (f64): punctuation and symbols (Unicode P and S) / characters, in [0, 1].
        non_ascii_share (f64): characters above U+007F / characters, in [0, 1].
        symbol_words_share (f64): hash signs and ellipses per word, capped at 1 (the symbol-to-word ratio of Gopher,
            arXiv 2112.11446, table A1: at most 0.1 in web text).
        alphabetic_words_share (f64): words with at least one letter / words, in [0, 1] (same table: at least 0.8).
    """
    found = schema.column_text(rows, column).alias("text").to_frame()
    chars = pl.col("text").str.len_chars()
    words = pl.col("text").str.count_matches(TOKEN)

    def share(pattern: str, whole: pl.Expr) -> pl.Expr:
        """Return matches per whole, null where there is nothing to divide by."""
        part = pl.col("text").str.count_matches(pattern).cast(pl.Float64)
        return pl.when(whole > 0).then((part / whole).clip(0.0, 1.0))

    return found.select(
        digit_share=share(r"\p{Nd}", chars),
        punctuation_share=share(r"[\p{P}\p{S}]", chars),
        non_ascii_share=share(r"[^\x00-\x7F]", chars),
        symbol_words_share=share(r"#|\.\.\.|…", words),
        alphabetic_words_share=share(_ALPHABETIC, words),
    )
