"""What operators do to a database: check, compact, export, restore, sweep."""
