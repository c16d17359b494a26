"""Reading JSON lines."""
