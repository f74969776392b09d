"""Cache: the folder of a user for what can be made or fetched again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """UNDERSTUDY_CACHE where it is set, else `understudy` in the user's cache folder."""
    if named := os.environ.get("UNDERSTUDY_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(base) / "understudy"
