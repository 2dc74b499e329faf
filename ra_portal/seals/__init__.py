"""Electronic seals of enterprises, whose keys live in the authority's token."""
