"""The sub-commands of ``tools/prepare_data.py``, a module for each thing one does."""

from . import making, scans, splitting

FAMILIES = (making, scans, splitting)

__all__ = ['FAMILIES']
