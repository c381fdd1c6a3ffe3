"""Fit the bundled world model: simulated episodes, then the autoencoder, then the dynamics."""
