"""Dead letters of the running platform: what there is, what became of it, redrive and drop. Printing is the cli's."""
