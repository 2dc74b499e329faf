"""`make bench`: what is ours beside the raw limit and beside the field's own libraries."""
