"""Bytes and physical lines of text files, compressed or not, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import zstandard

from curate.errors import INPUT, UserError

# The longest line that is read. Rows beyond about 2 MB already break the viewers of data sets, and one of 10 MB holds
# more words than any context window; a longer line is a file whose line ends are lost.
LINE_CAP = 10_000_000
# Bytes per read: large enough that a read costs nothing beside parsing it, small beside everything else.
CHUNK = 1 << 18
# A zstandard block of four bytes can unfold to 128 KiB: this many bytes at a time keep the worst case at 16 MiB.
ZST_PIECE = 1 << 9
# Bytes in which the encoding shows.
HEAD = 1024
COMPRESSIONS = (".gz", ".zst")
# What reading a broken or vanished file raises.
READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_FOREIGN = {
    b"\x1f\x8b": ("is compressed with gzip", "add .gz to its name"),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstandard", "add .zst to its name"),
    b"PK\x03\x04": ("is a zip archive (or a spreadsheet)", "unpack it, or save it as .csv"),
    b"PAR1": ("is Parquet", "name it .parquet"),
    b"ARROW1": ("is Arrow", "name it .arrow"),
}


def broken(path: Path, error: Exception, *, after: str) -> UserError:
    """Return the error for a file that cannot be read on; `after` says how far it could be."""
    if isinstance(error, FileNotFoundError):
        return UserError(str(path), "no such file", code=INPUT)
    if isinstance(error, PermissionError):
        return UserError(str(path), "may not be read", "give yourself the right to read it", code=INPUT)
    if isinstance(error, EOFError):
        what, fix = f"the archive breaks off after {after}", "fetch or write the file again"
        return UserError(str(path), what, fix, code=INPUT)
    return UserError(str(path), f"cannot be read after {after}: {error}", "fetch or write the file again", code=INPUT)


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file without its byte order mark, no chunk empty.

    Raises:
        UserError: when the file is not UTF-8 text at all.
        OSError, EOFError, zlib.error, zstandard.ZstdError: when it cannot be read on.
    """
    with open(path, "rb") as file:
        pieces = _unpacked(file, path.suffix.lower())
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= HEAD:
                break
        _check_head(path, head[:HEAD])
        yield from filter(None, chain([head.removeprefix(b"\xef\xbb\xbf")], pieces))


def _unpacked(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix == ".gz":
        with gzip.open(file, "rb") as unpacked:
            # read1, because read loses what was unpacked before a break.
            while piece := unpacked.read1(CHUNK):
                yield piece
    elif suffix == ".zst":
        yield from _unpacked_zst(file)
    else:
        while piece := file.read(CHUNK):
            yield piece


def _unpacked_zst(file: BinaryIO) -> Iterator[bytes]:
    """Unpack frame by frame: the library's own stream reader takes a truncated file for a whole one."""
    decoder, inside = zstandard.ZstdDecompressor().decompressobj(), False
    while data := file.read(ZST_PIECE):
        while data:
            inside, piece = True, decoder.decompress(data)
            yield from (piece[start : start + CHUNK] for start in range(0, len(piece), CHUNK))
            if not decoder.eof:
                break
            data, inside = decoder.unused_data, False
            decoder = zstandard.ZstdDecompressor().decompressobj()
    if inside:
        raise EOFError("the last frame is not complete")


def _check_head(path: Path, head: bytes) -> None:
    """Refuse what is not UTF-8 text, with the way to make it so."""
    for magic, (what, fix) in _FOREIGN.items():
        if head.startswith(magic):
            raise UserError(str(path), what, fix, code=INPUT)
    # Without a mark, UTF-16 of any western text shows as a NUL in every second byte.
    even, odd = head[::2].count(0), head[1::2].count(0)
    unmarked = len(head) >= 8 and max(even, odd) > 0.4 * (len(head) // 2) and min(even, odd) < 0.05 * (len(head) // 2)
    if head.startswith(_UTF16) or unmarked:
        fix = f"convert it: iconv -f UTF-16 -t UTF-8 {path.name} > utf8_{path.name}"
        raise UserError(str(path), "is UTF-16 or UTF-32, not UTF-8", fix, code=INPUT)


def blank(path: Path) -> bool:
    """Tell whether a text file holds nothing but blanks.

    Raises:
        UserError: when the file cannot be read.
    """
    try:
        return all(chunk.isspace() for chunk in chunks(path))
    except READ_ERRORS as error:
        raise broken(path, error, after="line 0") from error


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Yield number and bytes of each physical line, without its `\n`; nothing else ends a line.

    A line of more than `LINE_CAP` bytes comes as its beginning, longer than the cap; the rest of it is passed over.

    Raises:
        UserError: when the file cannot be read on, saying after which line.
    """
    number, tail, passing, first = 1, b"", False, True
    try:
        for chunk in chunks(path):
            if first:
                _check_line_ends(path, chunk)
                first = False
            if passing:
                cut = chunk.find(b"\n")
                if cut < 0:
                    continue
                chunk, passing, number = chunk[cut + 1 :], False, number + 1
            parts = (tail + chunk).split(b"\n")
            tail = parts.pop()
            for part in parts:
                yield number, part
                number += 1
            if len(tail) > LINE_CAP:
                yield number, tail
                tail, passing = b"", True
    except READ_ERRORS as error:
        raise broken(path, error, after=f"line {number - 1:,}") from error
    if tail:
        yield number, tail


def _check_line_ends(path: Path, chunk: bytes) -> None:
    if b"\n" not in chunk and b"\r" in chunk.rstrip():
        fix = f"convert it: tr '\\r' '\\n' < {path.name} > lines_{path.name}"
        raise UserError(str(path), "its lines end in a lone carriage return", fix, code=INPUT)


def too_long(line: bytes) -> str | None:
    """Return why a line is not read for its length, or None."""
    return f"the line is longer than {LINE_CAP // 1_000_000} MB" if len(line) > LINE_CAP else None
