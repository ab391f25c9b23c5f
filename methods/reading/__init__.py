"""Weights of every published form, read into what the base's family has: single files, wrapped names, learned tokens; and what lies beside them."""
