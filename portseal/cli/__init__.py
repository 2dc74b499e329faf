"""The command line: thin commands over the same use cases that the web serves."""
