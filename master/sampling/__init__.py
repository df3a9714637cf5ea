"""Hosts the sampler programs of experiments: one process for each, results in, hyperparameters out."""
