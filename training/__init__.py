"""Training recipes: one readable file each."""

import bench  # noqa: F401  # puts the torchvision guard in place before transformers is imported
