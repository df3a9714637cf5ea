"""Reaching a master: addresses, channels, credentials, certificates and backoff."""
