"""Scores, their definitions and their intervals."""
