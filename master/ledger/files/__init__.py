"""The files of a database: whether they are still there, who else has them open, copies and rescue."""
