"""Teachers: frozen answers, live or at rest."""
