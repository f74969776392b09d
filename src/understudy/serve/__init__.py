"""HTTP and a page on top of `artifact.predict`. No torch."""

from understudy.serve.app import create_app, serve

__all__ = ["create_app", "serve"]
