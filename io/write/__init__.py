"""Writing tables: formats, folders of partitions, commits."""
