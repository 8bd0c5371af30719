"""Where batches come from: tensors, tables, data sets, loaders, and the arguments of programs."""
