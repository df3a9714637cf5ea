"""Which worker gets which work, and what is drawn ahead for it."""
