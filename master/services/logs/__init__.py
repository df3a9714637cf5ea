"""What trials printed, from the workers that have it to whoever asks."""
