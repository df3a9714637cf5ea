"""What changes rows; used by the one writer alone."""
