"""What the master and the sampler programs agree on: messages, the form of a space, the programs."""
