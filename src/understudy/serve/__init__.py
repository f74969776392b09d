"""HTTP and a page on top of `artifact.predict`. No torch."""

from understudy.serve.app import Manner, create_app
from understudy.serve.running import serve

__all__ = ["Manner", "create_app", "serve"]
