"""What reads rows: queries, recovery and inspection. Never imports the writing side."""
