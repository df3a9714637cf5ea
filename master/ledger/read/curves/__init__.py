"""Curves and records of an experiment, made from very many reports in arrays: no report becomes an object."""
