"""Folders: made, locked for one process, and deleted."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.errors import UserError


@contextmanager
def workshop(path: Path, *, wait: bool) -> Iterator[Path]:
    """Yield an empty folder that this process has for itself; in the end it is removed, unless it was renamed.

    The lock is on the folder itself and ends with the process, so what killed runs left behind is known as such.

    Args:
        path: the folder; its parent is made.
        wait: whether to wait for another process that has it.

    Raises:
        UserError: when the folder cannot be made.
        BlockingIOError: when another process has it and `wait` is false.
    """
    make(path.parent)
    handle = _locked(path, wait=wait)
    try:
        for left in path.iterdir():
            remove(left)
        yield path
    finally:
        if _is_at(path, handle):
            shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _locked(path: Path, *, wait: bool) -> int:
    """Make a folder and lock it; the lock is that of its open handle."""
    while True:
        make(path)
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a file system without locks has to do without
                os.close(handle)
                raise
        if _is_at(path, handle):
            return handle
        os.close(handle)  # its owner has renamed it while we waited


def beside(path: Path) -> Path:
    """Return a name beside a file to write it under; of all processes on all machines of a shared folder it is ours."""
    return path.with_name(f"{path.name}.{host()}.{os.getpid()}.tmp")


def host() -> str:
    """Return the name of this machine, or of this container: process ids of two of them may be the same."""
    return os.uname().nodename.replace("/", "_")


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def make(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        UserError: when the system refuses.
    """
    try:
        str(folder).encode()  # the writers of Parquet take no other names
        folder.mkdir(parents=True, exist_ok=True)
    except UnicodeEncodeError:
        raise UserError(str(folder), "is not UTF-8", "choose another name") from None
    except OSError as error:
        what = f"cannot be made: {(error.strerror or str(error)).lower()}"
        raise UserError(str(folder), what, "choose another place") from None


def remove(path: Path) -> None:
    """Delete a file or folder of ours."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
