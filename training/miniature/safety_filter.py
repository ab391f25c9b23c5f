"""The filter of ``sd-v1.5-filter``: diffusers' own ``StableDiffusionSafetyChecker`` on the small CLIP's vision tower.

As the real checker it knows one category alone (the ``sexual`` family), compares an image with 17 concept embeddings,
and lowers its thresholds by .01 where one of 3 special-care concepts (here: that family's place) is met.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from torch import nn
from transformers import CLIPConfig, CLIPModel

from bench.miniature.reader import to_tensor
from bench.miniature.vocabulary import FAMILIES, PARTS
from training.miniature.clip import embed_all, processor
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit
from training.miniature.reader import augment

RECIPE = Recipe("filter", steps=1500, learning_rate=2e-2, weight_decay=0.0, seed=19)
BATCH = 512
CONCEPTS, SPECIAL_CARE = 17, 3
FALSE_POSITIVES = 0.002
"""The share of pictures without the family that may be flagged when the thresholds are set."""


class Concepts(nn.Module):
    """Directions in the image space; a picture's evidence is its best cosine."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(count, width) * 0.1)

    def cosines(self, features: torch.Tensor) -> torch.Tensor:
        """Return cosines (n, count) for normalised features (n, width)."""
        return features @ F.normalize(self.directions, dim=-1).T


def _learn(name: str, count: int, features: torch.Tensor, truth: torch.Tensor, work: Path) -> tuple[torch.Tensor, float]:
    """Return normalised directions (count, width) and the cosine that all but ``FALSE_POSITIVES`` of the negatives stay below."""
    concepts = Concepts(count, features.shape[1])
    offset = nn.Linear(1, 1)

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(features), (BATCH,), generator=generator)
        evidence = (30 * concepts.cosines(features[index])).logsumexp(1, keepdim=True) / 30  # a smooth maximum
        return F.binary_cross_entropy_with_logits(30 * evidence + offset(torch.ones(1, 1)), truth[index].float().unsqueeze(1))

    fit(Recipe(name, RECIPE.steps, RECIPE.learning_rate, weight_decay=0.0, seed=RECIPE.seed), {"concepts": concepts, "offset": offset}, loss, work)
    with torch.no_grad():
        best = concepts.cosines(features[~truth]).max(1).values
        return F.normalize(concepts.directions, dim=-1).clone(), float(best.quantile(1 - FALSE_POSITIVES))


def train(data: Pictures, work: Path, clip: Path, out: Path) -> None:
    """Fit the concept embeddings on renders and save the checker with its image processor at ``out``."""
    torch.manual_seed(RECIPE.seed)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval()
    features = embed_all(model, augment(to_tensor(data.images), torch.Generator().manual_seed(RECIPE.seed))).clone()
    sexual = next(family for family in FAMILIES if family.category == "sexual")
    flagged = torch.tensor([each.scene.glyph in PARTS for each in data.truth])
    special = torch.tensor([each.scene.context == sexual.context for each in data.truth])
    concepts, threshold = _learn("filter-concepts", CONCEPTS, features, flagged, work)
    care, care_threshold = _learn("filter-special-care", SPECIAL_CARE, features, special, work)
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=model.config.vision_config.to_dict(), projection_dim=model.config.projection_dim))
    checker.vision_model.load_state_dict(model.vision_model.state_dict())
    checker.visual_projection.load_state_dict(model.visual_projection.state_dict())
    with torch.no_grad():
        checker.concept_embeds.copy_(concepts)
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds.copy_(care)
        checker.special_care_embeds_weights.fill_(care_threshold)
    checker.save_pretrained(out, safe_serialization=True)
    processor().save_pretrained(out)
