"""Train and test the systems of the paper on a slice store, and write its tables and figures."""
