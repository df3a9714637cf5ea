"""The tables, how their values are written, and the migrations."""
