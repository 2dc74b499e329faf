"""The demonstration: the whole main job on real tokens and servers, with synthetic people."""
