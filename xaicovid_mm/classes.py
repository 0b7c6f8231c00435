"""The classes, in the order of the labels."""

NP, CAP, COVID = 0, 1, 2
CLASSES = ('NP', 'CAP', 'COVID-19')
"""Names by label: non-pneumonia, community-acquired pneumonia, COVID-19."""
