"""Prepare data: scans or images and a table in, a slice store out. Uses no torch."""
