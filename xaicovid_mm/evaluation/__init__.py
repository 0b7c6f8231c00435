"""Scores of predictions, their definitions and their confidence intervals."""
