"""Who may write: the term, locks, signs of life, and waiting to be the next."""
