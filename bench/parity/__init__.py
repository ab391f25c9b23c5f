"""``bench parity``: our scorers beside the packages that their authors published, on the same images, prompts and weights."""
