"""Reading Parquet: footers, row groups, statistics."""
