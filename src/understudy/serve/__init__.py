"""HTTP on top of artifact.predict; no torch."""
