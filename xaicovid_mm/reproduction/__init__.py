"""The paper's tables and figures over a store of one's own."""
