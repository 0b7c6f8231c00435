"""Tell of files that the reader of a scan ignored though each may be one of its slices."""

from collections.abc import Iterator, Mapping

from ..io.ignored import DOUBTFUL, ignored_text
from .issue import WARNING, QualityIssue


def ignored_issues(ignored: Mapping[str, int]) -> Iterator[QualityIssue]:
    """Find ignored files among which a slice may be: at an end of a scan its lack is not seen.

    Args:
        ignored: Number of ignored files by reason.
    """
    doubtful = {reason: count for reason, count in ignored.items() if reason in DOUBTFUL}
    if doubtful:
        text = f'{ignored_text(doubtful)}: a slice at an end of the scan may be among them'
        remedy = 'take out what is no slice, and export damaged slices again'
        numbers = dict(files=sum(doubtful.values()))
        yield QualityIssue('files ignored', text, remedy, WARNING, numbers)
