"""What every room may use: files whole or not at all, signals, progress, devices. Nothing of ours is imported here."""
