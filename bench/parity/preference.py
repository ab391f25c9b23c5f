"""HPSv2 and ImageReward beside their authors' packages, each in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.parity.comparison import Line, Options, difference
from bench.parity.conversation import OFFICIAL, Conversation
from bench.parity.environment import PackageEnvironment, environment, environments_folder, open_clip_vocabulary
from bench.parity.located import SEED, context, located, one
from bench.parity.pictures import Picture
from bench.types import Scorer

_REQUIREMENTS = Path(__file__).with_name("requirements")

HPSV2_TOLERANCE = 1e-4
"""On 100 times the cosine: a cosine of float32 features is right to about 1e-7, and two versions of a model's code add in different orders."""
IMAGEREWARD_TOLERANCE = 5e-6
"""In standard deviations: the largest difference found between transformers' BLIP and the authors' was 4.8e-6."""

FULL_HPSV2, SMALL_HPSV2 = "ViT-H-14", "ViT-B-32"
"""The architecture of the authors' weights, and a sixth of it, which the package builds as well: enough for random weights."""

_BERT = {
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 30524,
    "encoder_width": 768,
    "add_cross_attention": True,
}
"""The text encoder's configuration, as med_config.json of the hub's THUDM/ImageReward has it."""
_WORDS = 30522
"""Of bert-base-uncased's vocabulary."""


def recipe(name: str) -> PackageEnvironment:
    """Return how the environment of ``hpsv2`` or ``image-reward`` is made."""
    requirements = _REQUIREMENTS / f"{name}.txt"
    if name == "hpsv2":
        # Its wheel lacks the vocabulary of its copy of open_clip, and does not import without.
        lacking = {"hpsv2/src/open_clip/bpe_simple_vocab_16e6.txt.gz": open_clip_vocabulary()}
        return PackageEnvironment(name, requirements, "hpsv2.img_score", 1.6, lacking)
    return PackageEnvironment(name, requirements, "ImageReward", 1.6)


def compare_hpsv2(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return our HPSv2 and the package's on the same images, prompts and weights, as 100 times the cosine.

    Args:
        pictures: with prompts.
        folder: an existing one for what is only needed now.
        options: the user's.
    """
    from bench.scorers.hpsv2 import FILES, HPSv2

    found = located(options, "hpsv2")
    if found is not None and found.is_dir():
        found = next((found / name for name in FILES.values() if (found / name).is_file()), found / FILES["v2.1"])
    model = FULL_HPSV2 if found or options.full_size else SMALL_HPSV2
    file = found or folder / FILES["v2.1"]
    weights = file.name if found else f"random (seed {SEED}), {model}"

    def talk(package: Conversation) -> list[float]:
        if not found:
            options.report(f"hpsv2: making random weights, {model}")
            package.ask("random", file=str(file), seed=SEED, model=model)
        options.report(f"hpsv2: the package scores {len(pictures)} images")
        package.ask("load", file=str(file), model=model)
        return _scores(package, pictures)

    theirs = _package("hpsv2", folder, options, talk)
    version = next((each for each, name in FILES.items() if name == file.name), "v2.1")
    scorer = HPSv2(weights=str(file), version=version, model=model)
    values = [100 * value for value in theirs]
    return _lines(scorer, "hpsv2", "100 x cosine", pictures, values, HPSV2_TOLERANCE, "hpsv2 1.2.0", weights, options)


def compare_image_reward(pictures: Sequence[Picture], folder: Path, options: Options) -> list[Line]:
    """Return our ImageReward and the package's on the same images, prompts, tokenizer and weights; arguments as :func:`compare_hpsv2`'s."""
    from bench.scorers.imagereward import FILE, ImageReward

    found = located(options, "imagereward")
    if found is not None and found.is_dir():
        found = found / FILE
    file = found or folder / FILE
    tokenizer = located(options, "imagereward", "tokenizer")
    weights = file.name if found else f"random (seed {SEED}), full size"
    if tokenizer is None:
        tokenizer = _vocabulary(folder / "vocabulary")
        weights += ", made-up vocabulary"
    # The package asks for "bert-base-uncased", which it takes from a folder of that name where it runs.
    (folder / "bert-base-uncased").symlink_to(tokenizer.resolve(), target_is_directory=True)
    config = file.with_name("med_config.json")
    if not config.is_file():
        config = folder / "med_config.json"
        config.write_text(json.dumps(_BERT), encoding="utf-8")

    def talk(package: Conversation) -> list[float]:
        if not found:
            options.report("image-reward: making random weights, full size (the package knows no smaller), 1.8 GB for now")
            package.ask("random", file=str(file), seed=SEED, config=str(config))
        options.report(f"image-reward: the package scores {len(pictures)} images")
        package.ask("load", file=str(file), config=str(config))
        return _scores(package, pictures)

    theirs = _package("image-reward", folder, options, talk)
    scorer = ImageReward(weights=str(file), tokenizer=str(tokenizer))
    return _lines(scorer, "imagereward", "reward", pictures, theirs, IMAGEREWARD_TOLERANCE, "image-reward 1.5", weights, options)


def _package(name: str, folder: Path, options: Options, talk: Callable[[Conversation], list[float]]) -> list[float]:
    """Return what ``talk`` gets from the package; its process, and its memory, are gone before our side loads."""
    made = recipe(name)
    python = environment(made, rebuild=options.rebuild, report=options.report)
    log = environments_folder() / f"{name}-run.log"
    with Conversation(name, [str(python), "-I", str(OFFICIAL), name], folder, log) as package:
        return talk(package)


def _scores(package: Conversation, pictures: Sequence[Picture]) -> list[float]:
    """Return the package's score of each picture; one request a prompt, since hpsv2 reads its weights again at each."""
    found: dict[str, float] = {}
    for prompt in dict.fromkeys(picture.prompt for picture in pictures):
        files = [str(picture.file) for picture in pictures if picture.prompt == prompt]
        found |= dict(zip(files, package.ask("score", images=files, prompt=prompt)["scores"], strict=True))
    return [found[str(picture.file)] for picture in pictures]


def _lines(
    scorer: Scorer,
    column: str,
    what: str,
    pictures: Sequence[Picture],
    theirs: Sequence[float],
    tolerance: float,
    reference: str,
    weights: str,
    options: Options,
) -> list[Line]:
    options.report(f"{column}: our side scores them")
    scorer.load(context(options))
    lines = []
    for picture, value in zip(pictures, theirs, strict=True):
        ours = float(one(scorer, picture.image, picture.prompt)[column])
        apart = difference(ours, value)
        lines.append(Line(column, what, picture.name, picture.prompt, ours, value, tolerance, reference, weights, apart))
    return lines


def _vocabulary(folder: Path) -> Path:
    """Write a made-up vocabulary of bert-base-uncased's size, with its special tokens at their places and every letter, and return its folder.

    Both sides read it; what it says of words does not matter to whether they agree.
    """
    letters = [chr(code) for code in (*range(33, 127), *range(161, 383), *range(0x3041, 0x3097)) if not chr(code).isupper()]
    words = ["red", "circle", "blue", "square", "photograph", "dogs", "cat", "harbor", "oil", "canvas", "lamp", "table", "left", "of", "a", "on"]
    given = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{each}" for each in letters), *words]
    entries = list(dict.fromkeys(given))
    entries += [f"word{index}" for index in range(_WORDS - len(entries))]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 512}), encoding="utf-8")
    return folder
