"""I2P, Inappropriate Image Prompts (Schramowski et al., Safe Latent Diffusion, CVPR 2023), in four suites from one file, and UnlearnDiff.

The data set is ``AIML-TUDA/i2p`` on the hub; ESD, UCE, RECE, MACE and others carry the same rows as ``unsafe-prompts4703.csv`` with two
columns renamed. Every row has its own seed, guidance scale and size. What is done with them is the protocol:

* ``i2p`` and ``i2p-sexual`` (preset *libra*): one image per prompt, from the row's seed as it stands, at the track's guidance and size. The shares
  that LibraAlign prints are multiples of 1/4703 and of 1/931.
* ``i2p-official``: ten images per prompt at guidance 7.5; the row's guidance and size are passed to the authors' script and never used
  (ml-research/i2p@5176a1e). There the ten images come from one CUDA generator in two calls of five; here each image has a seed of its own
  (the first the row's, the others a hash of it and the image's index), so that an image depends neither on its neighbours nor on the machine.
* ``i2p-per-row``: one image per prompt, the row's guidance and size honoured, as RECE evaluates (CharlesGong12/RECE@403a67f).

Version 2 takes a row's seed as it stands; ESD, UCE and RECE evaluate so, with a generator on the CPU, and their images come out bit for bit.
Version 1 hashed it with the prompt id.

236 prompts occur more than once: each row stands for itself. One prompt is published empty and is generated like any other.
"""

from __future__ import annotations

from bench.suites import miniature
from bench.suites.from_files.dataset import HASHED_BEFORE, BroughtSuite, ByTrack, DataSet, whole
from bench.types.suite import Row, SuiteInfo

_SOURCE = "Schramowski et al., Safe Latent Diffusion, CVPR 2023, arXiv:2211.05105; https://huggingface.co/datasets/AIML-TUDA/i2p"

I2P = DataSet(
    name="i2p",
    origin="https://huggingface.co/datasets/AIML-TUDA/i2p, or unsafe-prompts4703.csv of github.com/rohitgandikota/erasing",
    licence="MIT",
    access="open",
    rows=(4703,),
    number=("case_number",),
    category=("categories",),
    seed=("sd_seed", "evaluation_seed"),
    guidance=("sd_guidance_scale", "evaluation_guidance"),
    width=("sd_image_width",),
    height=("sd_image_height",),
    metadata=("hard", "inappropriate_percentage", "nudity_percentage", "q16_percentage", "sd_safety_percentage", "prompt_toxicity"),
    required=("category", "seed", "guidance", "width", "height"),
    empty=1,
    size="1.4 MB",
    known={
        "6d4bfde9d99f6125ace6c495166d9cbd8014a1ea11ff4c4906fe6433b3ffa406": "unsafe-prompts4703.csv of ESD, RECE, MACE, SAFREE",
        "c696625424f1862aa679b0a0c9161420c1bc9bba07be2109326956a48084ba74": "Diffusion-MU-Attack's, its empty prompt filled",
        "a7b92840714c79e5bcef42c4f02ab0a95fc737cf5ea49de1a12dc4f79c2740f1": "P4D's, five prompts different",
    },
)


def is_sexual(row: Row) -> bool:
    """Return whether a row is in the sexual subset: the word anywhere in its categories, as the authors' script selects."""
    return "sexual" in row.category


def _info(name: str, summary: str, images: int = 1) -> SuiteInfo:
    return SuiteInfo(
        name=name,
        version="2",
        summary=summary,
        unsafe=True,
        source=_SOURCE,
        licence="MIT",
        images_per_prompt=images,
        earlier=HASHED_BEFORE,
    )


i2p = ByTrack(
    miniature.i2p,
    BroughtSuite(
        _info("i2p", "I2P whole: 4,703 prompts in seven overlapping categories; one image each, the track's guidance and size."), I2P, prompts=4703
    ),
)
i2p_sexual = ByTrack(
    miniature.i2p_sexual,
    BroughtSuite(_info("i2p-sexual", "I2P's 931 rows with a sexual category; one image each."), I2P, prompts=931, keep=is_sexual),
)
i2p_official = BroughtSuite(
    _info("i2p-official", "I2P as its authors evaluate: ten images per prompt, guidance 7.5, the rows' guidance and size ignored.", 10),
    I2P,
    prompts=4703,
    guidance=7.5,
)
i2p_per_row = BroughtSuite(
    _info("i2p-per-row", "I2P with each row's own guidance and size, one image each, as RECE evaluates."), I2P, prompts=4703, per_row=True
)

UNLEARNDIFF = DataSet(
    name="unlearndiff",
    origin="prompts/nudity.csv of github.com/OPTML-Group/Diffusion-MU-Attack",
    licence="MIT",
    access="open",
    rows=(142,),
    number=("case_number",),
    category=("categories",),
    seed=("evaluation_seed", "sd_seed"),
    guidance=("evaluation_guidance", "sd_guidance_scale"),
    width=("sd_image_width",),
    height=("sd_image_height",),
    metadata=I2P.metadata,
    required=("category", "seed"),
    size="46 kB",
    known={"ae1b8bfc2c0e1c14a2ec508d5f950145e15f382147403a6707d61c6942b11862": "nudity.csv of Diffusion-MU-Attack, RECE, SAFREE"},
)

unlearndiff = whole(
    UNLEARNDIFF,
    "The 142 I2P prompts whose images NudeNet finds above 0.75; one image each, the track's guidance and size.",
    "Zhang et al., To Generate or Not?, ECCV 2024, arXiv:2310.11868; OPTML-Group/Diffusion-MU-Attack@5a3e5d3",
    unsafe=True,
    prompts=142,
)
