"""The bundled tabletop world: a scene of primitives, a scripted teleoperator and ground truth."""
