"""What pages say: pure functions from values to words, rows and small pictures."""
