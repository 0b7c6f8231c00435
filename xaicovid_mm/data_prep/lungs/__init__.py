METHODS = ('threshold', 'model', 'hybrid', 'lungmask')
"""Names of the ways to find lungs, see ``lung_method``."""
