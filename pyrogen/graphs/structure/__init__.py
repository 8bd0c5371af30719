"""What the edges of a graph say: separation, maps, cliques and triangulations."""
