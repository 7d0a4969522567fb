"""The same request written in many ways, so that an answer kept for one of them does not serve the next."""

from collections.abc import Sequence


def spelled(path: str, number: int) -> str:
    """Another way to write a path that ends in a parameter: the number's bits choose which characters of its value are
    percent-encoded (RFC 3986 6.2.2.2 has them mean the same)."""
    head, mark, value = path.rpartition("=")
    written = [f"%{ord(each):02X}" if number >> place & 1 else each for place, each in enumerate(value)]
    return head + mark + "".join(written)


def all_different(paths: Sequence[str], count: int) -> list[str]:
    """So many requests for the paths in turn, no two of them written alike."""
    different = list(dict.fromkeys(paths))
    turns = -(-count // len(different))
    return [spelled(path, turn) for turn in range(turns) for path in different][:count]
