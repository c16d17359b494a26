"""plait: SQL and pandas-like calls over one plan."""
