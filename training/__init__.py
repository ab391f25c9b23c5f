"""Training recipes: one readable file each."""

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before transformers is imported
