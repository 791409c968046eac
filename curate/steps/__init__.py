"""One file per step; a step is found by its file name."""
