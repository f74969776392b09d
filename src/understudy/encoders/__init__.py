"""Encoders: one family, one file; each names its view."""
