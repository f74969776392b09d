"""Evaluators: one question, one file."""
