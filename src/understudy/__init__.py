"""Train with every sense, ship with one."""
