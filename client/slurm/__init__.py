"""A search as jobs of Slurm: `rungmaster slurm up` and `down`, and the scripts that they submit."""
