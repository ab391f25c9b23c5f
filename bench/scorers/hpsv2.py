"""HPSv2: how people would like an image for its prompt, by the authors' weights in open_clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before open_clip is imported
from bench.errors import BenchError
from bench.files.checkpoint import checkpoint_file, fill, unreadable
from bench.files.hashes import sha256
from bench.files.published import read_weights
from bench.types import Context, Sample, Scorer, ScorerInfo

if TYPE_CHECKING:
    import torch

    from bench.types import Image

FILES = {"v2.0": "HPS_v2_compressed.pt", "v2.1": "HPS_v2.1_compressed.pt"}
"""The authors' file for each version, in their hub repository xswu/HPSv2. Scores of the two are not comparable."""


class HPSv2(Scorer):
    """A CLIP fine-tuned on preferences; 100 times the cosine of image and prompt.

    Parameters: ``weights``, one of the authors' files or a folder that holds it; ``version``, which of them it is, where its name does not say;
    ``model``, open_clip's name for the architecture; ``antialias``, how bicubic scaling is done (:func:`prepare`). The authors leave that to
    torchvision: True is what their package gives with 0.17 or later, False with those before.

    Their package runs in half precision on CUDA, this in float32 everywhere.
    """

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="hpsv2",
        summary="A CLIP fine-tuned on preferences (HPD v2); 100 times the cosine.",
        columns={"hpsv2": "100 times the cosine, about 20 to 30 for real images"},
        higher_is="better",
        label="HPSv2",
        explanation="Mean HPSv2, 100 x cosine.",
        unit="100 x cosine",
        bounds={"hpsv2": (-100, 100)},
        source="Wu et al., arXiv:2306.09341; https://github.com/tgxs002/HPSv2 @ 866735e; xswu/HPSv2",
        licence="Apache-2.0",
        defaults={"weights": None, "version": None, "model": "ViT-H-14", "antialias": True},
    )

    def __init__(self, **parameters: Any) -> None:
        """Settle the version, which the run's record then states.

        Raises:
            BenchError: nothing says which version the weights are, or two things say two.
        """
        super().__init__(**parameters)
        weights, given = self.parameters["weights"], self.parameters["version"]
        if given is not None and given not in FILES:
            raise BenchError(f"HPSv2 has no version {given!r}; expected one of: {', '.join(FILES)}.")
        if weights is None:
            return
        named = {file: version for version, file in FILES.items()}.get(PurePath(str(weights)).name)
        if given is None and named is None:
            raise BenchError(f"Nothing says which version of HPSv2 the weights {weights} are. Give `version`: {' or '.join(FILES)}.")
        if given and named and given != named:
            raise BenchError(f"The weights {weights} are HPSv2 {named}, the parameter `version` says {given}. Change either.")
        self.parameters["version"] = given or named

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hash of the checkpoint."""
        file = self._file()
        return {f"weights/{file.name}": sha256(file)}

    def load(self, context: Context) -> None:
        """Read the checkpoint.

        Raises:
            BenchError: it is damaged or of another architecture, or open_clip does not know that.
        """
        import open_clip
        from open_clip.model import CLIP

        file, name = self._file(), self.parameters["model"]
        config = open_clip.get_model_config(name)
        if config is None:
            raise BenchError(f"open_clip has no model {name!r}; HPSv2's is ViT-H-14. Mend the parameter `model`.")
        try:
            tensors = read_weights(file).tensors
            model = CLIP(**config)
            fill(model, tensors)
            self._tokenizer: Any = open_clip.SimpleTokenizer(context_length=model.context_length)
            if self._tokenizer.vocab_size != model.vocab_size:
                raise ValueError(f"its model reads {model.vocab_size} tokens, open_clip's tokenizer has {self._tokenizer.vocab_size}")
        except Exception as error:
            mend = f"Expected the authors' {FILES[self.parameters['version']]} for {name}: fetch it again from the hub's xswu/HPSv2."
            raise unreadable("HPSv2 weights", file, error, mend) from error
        self._model: Any = model.to(context.device).float().eval()
        self._side = int(max(model.visual.image_size))
        self._device = context.device

    def score(self, images: Sequence[Image], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        """Return ``hpsv2`` for each image."""
        import torch

        with torch.inference_mode():
            return [{"hpsv2": self._score(image, sample.prompt)} for image, sample in zip(images, samples, strict=True)]

    def _score(self, image: Image, prompt: str) -> float:
        # One image and one text a call: a score must not depend on its neighbours, not even in the last bit.
        pixels = prepare(image, self._side, antialias=bool(self.parameters["antialias"])).to(self._device)
        seen = self._model.encode_image(pixels[None], normalize=True)
        read = self._model.encode_text(self._tokenizer([prompt]).to(self._device), normalize=True)
        return 100.0 * float((seen * read).sum())

    def _file(self) -> Path:
        return checkpoint_file(self.info.name, self.parameters, FILES.get(self.parameters["version"], ""))


def prepare(image: Image, side: int, *, antialias: bool) -> torch.Tensor:
    """Return the model's input for an RGB image, uint8 (height, width, 3): float32, shape (3, side, side), normalised as CLIP's.

    Its longer side is scaled to ``side`` by bicubic interpolation, which may leave [0, 1] and is not cut off, and it is centred on black.
    The authors' transform does not pad an image whose longer side is ``side`` already, and their model then refuses it; here it is padded.

    Args:
        image: the picture.
        side: of the model's input, in pixels.
        antialias: as torch's ``interpolate``: smooth what is scaled down, and use a softer cubic (a = -0.5, else -0.75) in both directions.
    """
    import torch
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    pixels = torch.tensor(image).permute(2, 0, 1).float() / 255
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    if scale != 1:
        pixels = torch.nn.functional.interpolate(pixels[None], (height, width), mode="bicubic", align_corners=False, antialias=antialias)[0]
    left, top = (side - width) // 2, (side - height) // 2
    pixels = torch.nn.functional.pad(pixels, (left, side - width - left, top, side - height - top))
    return (pixels - torch.tensor(OPENAI_DATASET_MEAN)[:, None, None]) / torch.tensor(OPENAI_DATASET_STD)[:, None, None]
