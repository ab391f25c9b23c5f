"""Golden numbers: what the authors' own code (UCE, RECE, ESD; every release) gives in float64 on a toy pipeline of hand-made numbers.

Made once by running it, patched only where it asks for CUDA, the hub or half precision: unified-concept-editing f7222e6
and 28c81ed, RECE 403a67f, erasing a2189e9 and 25613d2. None of that code is here. The toy's weights and texts are small
fractions, so no random initialisation can change the numbers.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported

# isort: split
import diffusers
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

import methods.rece
import methods.uce
import training.esd
from bench.tracks import load_track
from bench.types import Context
from methods.closed_form import rederive
from methods.rece import RECE
from methods.sampler import Sampler
from methods.uce import UCE, states
from training.esd import Eraser, ESDConfig, sources, trained_names

TOKENS, WIDTH = 6, 3


class Tokens(dict):  # type: ignore[type-arg]
    __getattr__ = dict.__getitem__


class Tokenizer:
    """A word is a token, by its first letter; 0 starts a text, 1 ends and pads it."""

    model_max_length = TOKENS

    def __call__(self, texts: Any, return_tensors: str | None = None, **_: Any) -> Tokens:
        rows = [[0, *(3 + ord(word[0]) - ord("a") for word in text.split()), 1] for text in ([texts] if isinstance(texts, str) else texts)]
        if return_tensors is None:
            return Tokens(input_ids=rows[0])
        return Tokens(
            input_ids=torch.tensor([row + [1] * (TOKENS - len(row)) for row in rows]),
            attention_mask=torch.tensor([[1] * len(row) + [0] * (TOKENS - len(row)) for row in rows]),
        )


class Encoder:
    config = SimpleNamespace()

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> tuple[torch.Tensor]:
        position, column = torch.arange(TOKENS)[:, None], torch.arange(WIDTH)
        return ((((ids[:, :, None] * (column + 2) + position * (position + column + 1)) % 13) - 6).double() / 8,)


class Attention(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self.to_k, self.to_v = nn.Linear(WIDTH, 2, bias=False).double(), nn.Linear(WIDTH, 2, bias=False).double()
        for number, layer in enumerate((self.to_k, self.to_v)):
            layer.weight.data = ((torch.arange(2 * WIDTH).reshape(2, WIDTH) * (5 + seed) + 7 * number + seed) % 11 - 5).double() / 4


class CrossAttentions(nn.Module):
    """Two of them, with nothing around."""

    def __init__(self) -> None:
        super().__init__()
        for seed, name in enumerate(("down", "mid")):
            block = nn.Module()
            block.attn2 = Attention(seed)
            self.add_module(name, block)


class Noise(nn.Module):
    """A U-Net of one matrix. Its prediction depends on x, t and text, on none of them linearly and not on each alone."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.config = SimpleNamespace(in_channels=4, sample_size=2)
        self.dtype = torch.float64
        self.attn2 = nn.Linear(WIDTH, 4, bias=False).double()
        self.attn2.weight.data = scale * ((torch.arange(4 * WIDTH).reshape(4, WIDTH) * 5) % 7 - 3).double() / 4

    def forward(self, x: torch.Tensor, t: Any, encoder_hidden_states: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        t = torch.as_tensor(t).double().reshape(-1, 1, 1, 1)
        text = self.attn2(encoder_hidden_states).pow(3).mean(1)[:, :, None, None]
        return (x / (1 + x * x) * (0.5 + t / 2000) * (1 + text / 4) + text * (1 + t / 1000),)


def toy(unet: nn.Module, scheduler: Any = None) -> Any:
    return SimpleNamespace(
        unet=unet,
        tokenizer=Tokenizer(),
        text_encoder=Encoder(),
        device=torch.device("cpu"),
        scheduler=scheduler,
        vae_scale_factor=4,
        maybe_convert_prompt=lambda prompts, tokenizer: prompts,  # no token of several vectors was learned
    )


# Edits: the concepts "a b" and "c", towards the empty text and "d e f"; UCE preserves "g".

EDITS = {
    "uce/replace": {
        "down:to_k": [-0.66206322, 0.405315563, 1.11983197, -0.262115977, 0.317981987, -0.06243445],
        "down:to_v": [0.394528621, -0.3990451, -0.161531944, -0.66206322, 0.405315563, 1.11983197],
        "mid:to_k": [-0.687631001, 0.0487959065, -0.411919759, 0.555218357, 0.0322672061, 0.635886153],
        "mid:to_v": [0.555218357, 0.0322672061, 0.635886153, -0.247977431, 0.574169697, 0.448257796],
    },
    "uce/tensor": {
        "down:to_k": [-0.650452283, 0.398645988, 1.11120915, -0.250324284, 0.300138595, -0.0599150839],
        "down:to_v": [0.356608447, -0.34923253, -0.175079789, -0.614948322, 0.397287286, 1.08083172],
        "mid:to_k": [-0.521870744, -0.0586982884, -0.314952747, 0.419129496, 0.137842211, 0.513697211],
        "mid:to_v": [0.561942388, 0.0268908881, 0.640684929, -0.252355168, 0.582413154, 0.448055711],
    },
    "uce/2025": {
        "down:to_k": [-0.634133847, -0.0806678475, 1.42836181, -0.181879906, 0.916852469, -0.295167396],
        "down:to_v": [0.308706675, -0.9007189, 0.00949503369, -0.634133847, -0.0806678475, 1.42836181],
        "mid:to_k": [-0.534833646, 0.401958741, -0.52273043, 0.408006876, -0.418092311, 0.808402792],
        "mid:to_v": [0.408006876, -0.418092311, 0.808402792, -0.19564319, 1.15009898, 0.247122664],
    },
    "rece/2 epochs": {
        "down:to_k": [-0.1256058, 0.856899404, 0.295718636, -0.0297655201, 0.167934469, 0.0648130626],
        "down:to_v": [0.0548866802, -0.33931435, -0.12395679, -0.1256058, 0.856899404, 0.295718636],
        "mid:to_k": [-0.00348925485, -0.17054017, 0.0336778454, -0.0216319052, 0.341920051, 0.0254658818],
        "mid:to_v": [-0.0216319052, 0.341920051, 0.0254658818, -0.0805853929, 0.59424161, 0.169096262],
    },
}

# The rows that still give the model edited by UCE what "a b" gave the original: the first three numbers and the last.
REDERIVED = [-1.15010621, -1.21353703, -0.316543291, -0.763689332]


CONCEPTS = {"concepts": ["a b", "c"], "guide": ["", "d e f"]}


def edited(method: UCE | RECE) -> dict[str, torch.Tensor]:
    return {name.replace(".attn2.", ":").removesuffix(".weight"): weight for name, weight in method.sampler.pipeline.unet.named_parameters()}


@pytest.mark.parametrize(
    ("key", "method"),
    [
        ("uce/replace", UCE(**CONCEPTS, preserve=["g"])),
        ("uce/tensor", UCE(**CONCEPTS, preserve=["g"], technique="tensor")),
        ("uce/2025", UCE(**CONCEPTS, preserve=["g"], rows="last", preserve_empty=False)),
        ("rece/2 epochs", RECE(**CONCEPTS, epochs=2)),
    ],
)
def test_an_edit_is_its_authors(key: str, method: UCE | RECE, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (methods.uce, methods.rece):
        monkeypatch.setattr(module, "load_pipeline", lambda context: toy(CrossAttentions()))
    method.load(Context(load_track("mini")))
    found = edited(method)
    assert found.keys() == EDITS[key].keys()
    for name, expected in EDITS[key].items():
        torch.testing.assert_close(found[name].detach().flatten(), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7)


def test_what_rece_rederives_is_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods.rece, "load_pipeline", lambda context: toy(CrossAttentions()))
    method = RECE(**CONCEPTS)
    method.begin(Context(load_track("mini")))
    found = rederive(method.sampler.family.projections(), method._original, states(method.sampler, "a b"), 0.1)
    torch.testing.assert_close(found.flatten()[[0, 1, 2, -1]], torch.tensor(REDERIVED, dtype=torch.float64), rtol=0, atol=1e-7)


# ESD, the concept "a b": release, scheduler, steps taken (the paper's: t_enc), t of the loss, erased from, every fifth number of x_t,
# loss, and three numbers of its gradient. The student is the frozen model with its matrix times 1.1.

ESD = [
    ("paper", "DDIMScheduler", 0, 7, None, [-9.15081, -5.55181, -1.38628, -0.184357], 0.00153436, [-0.00262374, -0.000176166, 0.00321175]),
    ("paper", "DDIMScheduler", 1, 33, None, [-9.15081, -5.55181, -1.38628, -0.184357], 0.00161462, [-0.00276097, -0.000185381, 0.00337974]),
    ("paper", "DDIMScheduler", 2, 40, None, [-9.14657, -5.55057, -1.39001, -0.187164], 0.00163644, [-0.00279838, -0.000187909, 0.00342567]),
    ("paper", "DDIMScheduler", 25, 511, None, [-5.25591, -3.31171, -1.15863, -0.397339], 0.00343733, [-0.00588127, -0.000396142, 0.00721649]),
    ("paper", "DDIMScheduler", 49, 999, None, [-1.07841, -0.919685, -0.755287, -0.613449], 0.0059854, [-0.01029, -0.000688337, 0.0121591]),
    ("diffusers", "DDIMScheduler", 1, 980, None, [-1.08058, -0.920571, -0.754649, -0.612242], 0.00990305, [-0.0147583, -0.00129297, 0.00978883]),
    ("diffusers", "DDIMScheduler", 1, 980, "d", [-1.08058, -0.920571, -0.754649, -0.612242], 0.00678586, [-0.0138237, -0.00105456, 0.0188276]),
    ("diffusers", "DDIMScheduler", 24, 520, None, [-5.36229, -3.35673, -1.13884, -0.374088], 0.00585498, [-0.0087035, -0.000767487, 0.00599513]),
    ("diffusers", "DDIMScheduler", 24, 520, "d", [-5.36229, -3.35673, -1.13884, -0.374088], 0.00402362, [-0.00815235, -0.000625968, 0.0115309]),
    ("diffusers", "DDIMScheduler", 48, 40, None, [-10.1483, -6.12119, -1.4632, -0.16713], 0.00275418, [-0.00409143, -0.000360029, 0.00281027]),
    ("diffusers", "DDIMScheduler", 48, 40, "d", [-10.1483, -6.12119, -1.4632, -0.16713], 0.00189266, [-0.00383234, -0.000293642, 0.00540521]),
    ("2025", "DDIMScheduler", 0, 981, None, [-1, -0.875, -0.75, -0.625], 0.00587354, [-0.0101236, -0.000675703, 0.0118933]),
    ("2025", "DDIMScheduler", 3, 921, "d", [-1.27033, -1.02884, -0.769659, -0.587121], 0.00639592, [-0.0129701, -0.000993063, 0.0178534]),
    ("2025", "DDIMScheduler", 49, 1, None, [-9.747, -6.20643, -2.16286, -0.53188], 0.00150072, [-0.00258616, -0.000174057, 0.00317032]),
    ("2025", "PNDMScheduler", 0, 981, None, [-1, -0.875, -0.75, -0.625], 0.00587354, [-0.0101236, -0.000675703, 0.0118933]),
    ("2025", "PNDMScheduler", 3, 941, "d", [-1.17271, -0.973338, -0.762736, -0.600988], 0.00652502, [-0.0132624, -0.00101355, 0.0181543]),
    ("2025", "PNDMScheduler", 49, 21, None, [-9.74078, -6.22094, -2.21334, -0.586962], 0.00155934, [-0.00268988, -0.000181116, 0.00329431]),
]

NOISE = ((torch.arange(16).reshape(1, 4, 2, 2) * 7) % 17 - 8).double() / 8


def eraser(release: str, scheduler: str, origin: str | None) -> Eraser:
    options = {"DDIMScheduler": {"clip_sample": False}, "PNDMScheduler": {"skip_prk_steps": True}}[scheduler]
    one: Any = object.__new__(Eraser)
    one.config = ESDConfig(
        base="toy",
        concepts=("a b",),
        erase_from=(origin,) if origin else None,
        release=release,  # type: ignore[arg-type]
        target="from" if origin or release == "2025" else "empty",
        negative_guidance=1.0 if release == "paper" else 2.0,
    )
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    one.frozen, one.student = Noise(), Noise(1.1)
    one.sampler = Sampler(toy(one.frozen, getattr(diffusers, scheduler)(**betas, set_alpha_to_one=False, steps_offset=1, **options)))
    one.device, one.size = torch.device("cpu"), 8
    one.empty = one.sampler.encode([""])
    one.concepts = [one.sampler.encode([text]) for text in one.config.concepts]
    one.sources = [[one.sampler.encode([text]) for text in texts] for texts in sources(one.config)]
    return one


@pytest.mark.parametrize(("release", "scheduler", "stop", "time", "origin", "x", "loss", "gradient"), ESD)
def test_a_step_of_esd_is_its_authors(
    release: str,
    scheduler: str,
    stop: int,
    time: int,
    origin: str | None,
    x: list[float],
    loss: float,
    gradient: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, seen = eraser(release, scheduler, origin), []
    draws = iter([[0], [0], stop, time])  # concept, context, steps and, in the paper's release, t
    monkeypatch.setattr(training.esd.torch, "randint", lambda *_, **__: torch.tensor(next(draws)))
    monkeypatch.setattr(training.esd.torch, "randn", lambda *_, **__: NOISE.clone())
    plain = one.predict
    monkeypatch.setattr(one, "predict", lambda unet, latents, at, text: seen.append((latents, at)) or plain(unet, latents, at, text))  # type: ignore[func-returns-value]
    found = one.loss(0)
    found.backward()
    latents, at = seen[-1]
    grad = one.student.attn2.weight.grad
    assert int(at) == time
    assert grad is not None
    # The schedulers' alphas are float32.
    torch.testing.assert_close(latents.flatten()[::5], torch.tensor(x, dtype=torch.float64), rtol=2e-5, atol=2e-5)
    assert found.item() == pytest.approx(loss, rel=2e-5)
    torch.testing.assert_close(grad.flatten()[:9:4], torch.tensor(gradient, dtype=torch.float64), rtol=2e-5, atol=2e-8)


# What each release trains on the real sizes: (tensors, numbers).

SETS = {
    "sd": {
        "noxattn": (598, 813495680),
        "xattn": (80, 43962560),
        "selfattn": (80, 49574080),
        "notime": (678, 857458240),
        "full": (686, 859520964),
        "esd-x": (80, 43962560),
        "esd-u": (388, 815358084),
        "esd-all": (468, 859320644),
        "esd-x-strict": (32, 19169280),
    },
    "sdxl": {"esd-x": (350, 545670400), "esd-u": (772, 1996259200), "esd-all": (1122, 2541929600), "esd-x-strict": (140, 340787200)},
}

SIZES: dict[str, dict[str, Any]] = {
    "sd": {"cross_attention_dim": 768},
    "sdxl": {
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


@pytest.mark.parametrize("model", SETS)
def test_each_set_has_its_authors_size(model: str) -> None:
    with torch.device("meta"):  # no memory
        unet = UNet2DConditionModel(**SIZES[model])
    own = dict(unet.named_parameters())
    for chosen, expected in SETS[model].items():
        names = trained_names(unet, chosen, is_xl=model == "sdxl")  # type: ignore[arg-type]
        assert (len(names), sum(math.prod(own[name].shape) for name in names)) == expected, chosen
