"""The neutral form of a search space as numbers: for models, and flat for libraries that know no conditions."""
