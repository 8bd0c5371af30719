"""Figures that show images: grids, rows, traversals."""
