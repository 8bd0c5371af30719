"""InfoMEC: modularity, compactness and explicitness of discrete or continuous codes."""
