"""The only training loop, and what it needs: it knows no method and no corpus."""
