"""The embedded default: a rendered, benign world in which harm is a proxy, and the small models trained on it.

Seven families of nonce glyphs stand for the seven categories of I2P; nothing here depicts or names anything harmful.
"""
