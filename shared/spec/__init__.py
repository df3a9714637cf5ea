"""The spec as its user wrote it: reading it, its fields, its rules, and what is wrong with it."""
