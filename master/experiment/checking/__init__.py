"""What must hold of a stored experiment: the rules of its rows, and its journal replayed."""
