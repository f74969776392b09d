"""Recipes: what a paper or a data set needs beyond the main job."""
