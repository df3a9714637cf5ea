"""The workers' sessions, whose they are, and what is to be told to them."""
