"""CLIP: its encoders, shared by every scorer of one pass, and CLIPScore."""
