"""Small real data that ships in the package, each set with its licence."""
