"""Views and cells: from a user's values to the arrays an encoder reads. Torch-free."""
