"""The client: Python API and command line."""
