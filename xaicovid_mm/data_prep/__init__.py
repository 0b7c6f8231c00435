"""Volume or images in, slice store out. Imports nothing else of ours."""
