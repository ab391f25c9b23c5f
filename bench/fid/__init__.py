"""Distances between sets of images: FID and KID on a real track, their proxies on the miniature."""
