"""The memory of a process."""

import resource
import sys


def peak_mib() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on macOS bytes
    return peak / (1024 if sys.platform != 'darwin' else 1024**2)
