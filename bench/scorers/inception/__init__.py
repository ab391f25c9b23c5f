"""The FID Inception: its network as published, and the scorer that keeps its features."""
