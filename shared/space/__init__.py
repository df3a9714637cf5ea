"""The search space: hyperparameters, draws, conditions and forbidden combinations."""
