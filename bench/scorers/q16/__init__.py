"""Q16: its learned prompts, the restricted reader of the file that they are published in, and the scorer."""
