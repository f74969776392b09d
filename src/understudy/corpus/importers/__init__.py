"""Importers: one published format, one file."""
