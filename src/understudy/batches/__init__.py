"""Batches: what a step of training reads, in which order, prepared ahead."""
