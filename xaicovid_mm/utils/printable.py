"""Text of files and headers as a terminal may show it."""


def printable(text: str) -> str:
    """Write what a terminal would act on as its code: escapes, control characters, odd bytes.

    Line feeds and tabs stay. What is left can be encoded in UTF-8.
    """
    return ''.join(c if c.isprintable() or c in '\n\t' else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """Write line feeds, of file names and of other programs' messages, as spaces."""
    return ' '.join(line.strip() for line in text.splitlines())
