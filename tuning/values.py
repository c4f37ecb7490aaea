"""Values in the kernel's files."""

from __future__ import annotations

import re


def chosen(text: str | None) -> str | None:
    """Returns the chosen word of a kernel file like `always [madvise] never`, else its text."""
    match = re.search(r"\[([^]]*)\]", text or "")
    return match[1] if match else text
