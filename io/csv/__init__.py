"""Reading CSV: options, how rows are found, guessed and parsed."""
