"""What a master tells those who watch over it: numbers for Prometheus, and whether it lives and serves."""
