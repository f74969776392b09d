"""Side-by-side measurements; each module is one command that writes results/NAME.json and results/NAME.md."""
