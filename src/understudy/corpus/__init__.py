"""Data at rest: schema, writing, reading, splits, checks."""
