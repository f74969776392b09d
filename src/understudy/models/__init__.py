"""Models: encoders, how their outputs join, and the head that answers."""
