"""The error of everything that goes into a slice store or comes out of one."""


class StoreError(ValueError):
    """A slice store, or something that should go into one, is not as it must be."""
