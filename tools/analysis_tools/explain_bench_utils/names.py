"""The phantoms of the bench by name. Their help needs the names and nothing that is slow."""

NONE = 'none'
PHANTOMS = (NONE, 'site_mark', 'brightness_shift', 'mass_outside')
"""Without a shortcut, and with each of ``xaicovid_mm.data_prep.phantom.shortcuts``."""
PLACELESS = ('brightness_shift',)
"""Shortcuts that lie everywhere, so that no map can point at them."""
UNFILLED = ('mass_outside',)
"""Shortcuts that a network sees only if the outside of the lungs is not set to 0."""
