"""Reads a spec for a command: from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from ...shared.errors import InvalidInput
from ...shared.spec.document.reading import MAX_BYTES, read_document


def read_spec(path: Path) -> str:
    """The text of the file at `path`, or of standard input for `-`. Raises InvalidInput where it is not such a text."""
    if str(path) != "-":
        return read_document(path)
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"standard input: is larger than {MAX_BYTES // 2**20} MiB, the most that a spec may have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"standard input: is not UTF-8 text (byte {error.start})") from error
