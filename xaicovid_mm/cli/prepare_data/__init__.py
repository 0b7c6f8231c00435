"""``tools/prepare_data.py``: a module for each group of sub-commands."""

from .command import main

__all__ = ['main']
