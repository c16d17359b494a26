"""Object stores and other URLs, over fsspec."""
