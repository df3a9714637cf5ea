"""What is done beside the search: ending, thinning, deleting, sweeping."""
