"""Recipes: plain functions that put a corpus, a split, models, a method and a plan together."""
