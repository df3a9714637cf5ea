"""Who may look and act: sessions, tokens, headers, and what a request must show."""
