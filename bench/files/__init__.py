"""Bytes on disk and from elsewhere: atomic writes, hashes, locations of weights, tensors and checkpoints."""
