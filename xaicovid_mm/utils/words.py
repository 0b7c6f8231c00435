"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """Return ``1 file`` or ``2 files``: a number and its noun, which takes an s."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'
