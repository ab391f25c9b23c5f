"""A user's own file of prompts as a suite: read, named by its file, kept in the folder of every run that is made of it."""
