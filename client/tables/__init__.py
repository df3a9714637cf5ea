"""Trials and reports as tables: columns, conditions, CSV, JSON lines, Parquet; for the page, commands and notebooks."""
