"""Numbers of things in messages."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as `1 image` or `1,234 images`.

    plural: the noun for every number but 1; by default the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
