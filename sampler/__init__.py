"""Samplers that are programs of their own: they get results, and suggest hyperparameters."""
