"""Sets of CPUs as the kernel writes them: lists (`0-3,8`) and masks (`f,00000000`)."""

from __future__ import annotations

from collections.abc import Iterable


def cpu_list(text: str | None) -> list[int]:
    """Reads the kernel's list format: `0-3,8` is 0, 1, 2, 3, 8."""
    cpus: list[int] = []
    for part in (text or "").split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit():
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def list_text(cpus: Iterable[int]) -> str:
    """Writes the kernel's list format."""
    parts: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if parts and cpu == parts[-1][1] + 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def cpu_mask(text: str | None) -> list[int]:
    """Reads the kernel's mask format: groups of 32 bits in hexadecimal, the highest first."""
    bits = int((text or "").replace(",", "") or "0", 16)
    return [cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1]


def mask_text(cpus: Iterable[int]) -> str:
    """Writes the kernel's mask format."""
    bits = sum(1 << cpu for cpu in set(cpus))
    words = []
    while bits:
        words.append(bits & 0xFFFFFFFF)
        bits >>= 32
    if not words:
        return "0"
    return ",".join([f"{words[-1]:x}", *(f"{word:08x}" for word in reversed(words[:-1]))])
