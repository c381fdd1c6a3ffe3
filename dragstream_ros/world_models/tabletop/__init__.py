"""The bundled world model: small enough for one CPU core, trained on the simulated tabletop."""
