"""What operators do to a database: check, compact, restore, sweep."""
