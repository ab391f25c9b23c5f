"""The other side of a comparison: the authors' package behind JSON lines.

This file is run by the Python of the package's own environment (:mod:`bench.parity.environment`), never imported by ours, and imports
nothing of ours. One request a line on standard input, ``{"do": NAME, ...}``; one answer a line on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any


def serve(calls: Mapping[str, Callable[..., Mapping[str, Any]]]) -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the package prints goes to the log
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = calls[request.pop("do")](**request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def stir(model: Any) -> None:
    """Move norms and biases off the ones and zeros that a new model starts with: a forgotten or exchanged one would not show."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim < 2:
                parameter += 0.1 * torch.randn_like(parameter)


def hpsv2() -> dict[str, Callable[..., Mapping[str, Any]]]:
    """Return the calls on hpsv2 1.2.0: ``random``, ``load``, ``score``."""
    import torch
    from hpsv2 import img_score

    weights = ""

    def build(model: str) -> tuple[Any, Any]:
        made = img_score.create_model_and_transforms(model, None, precision="amp", device="cpu", light_augmentation=True, output_dict=True)
        return made[0], made[2]

    def random(file: str, seed: int, model: str) -> Mapping[str, Any]:
        torch.manual_seed(seed)
        made, _ = build(model)
        stir(made)
        torch.save({"state_dict": made.state_dict()}, file)
        return {"parameters": sum(each.numel() for each in made.parameters())}

    def load(file: str, model: str) -> Mapping[str, Any]:
        nonlocal weights
        weights = file
        # As its `initialize_model` does it, without LAION's weights, which that asks the hub for and `score` replaces at once.
        img_score.model_dict["model"], img_score.model_dict["preprocess_val"] = build(model)
        return {}

    def score(images: list[str], prompt: str) -> Mapping[str, Any]:
        return {"scores": [float(value) for value in img_score.score(images, prompt, cp=weights)]}

    return {"random": random, "load": load, "score": score}


def image_reward() -> dict[str, Callable[..., Mapping[str, Any]]]:
    """Return the calls on image-reward 1.5: ``random``, ``load``, ``score``."""
    import torch
    from ImageReward import load as load_model
    from ImageReward.ImageReward import ImageReward

    model: Any = None

    def random(file: str, seed: int, config: str) -> Mapping[str, Any]:
        torch.manual_seed(seed)
        made = ImageReward(config)
        stir(made)
        with torch.no_grad():
            for layer in made.mlp.layers:
                if hasattr(layer, "weight"):  # they start so small that every image would get the same reward
                    layer.weight.normal_(0, layer.in_features**-0.5)
        torch.save(made.state_dict(), file)
        return {"parameters": sum(each.numel() for each in made.parameters())}

    def load(file: str, config: str) -> Mapping[str, Any]:
        nonlocal model
        model = load_model(file, device="cpu", med_config=config)
        return {}

    def score(images: list[str], prompt: str) -> Mapping[str, Any]:
        with torch.no_grad():
            return {"scores": [float(model.score(prompt, image)) for image in images]}

    return {"random": random, "load": load, "score": score}


def nudenet_308() -> dict[str, Callable[..., Mapping[str, Any]]]:
    """Return the calls on nudenet 3.0.8: ``detect`` and ``network``."""
    from nudenet import NudeDetector, nudenet

    detector = NudeDetector(providers=["CPUExecutionProvider"])

    def detect(image: str) -> Mapping[str, Any]:
        found = detector.detect(image)
        return {"detections": [{"class": each["class"], "score": each["score"], "box": [int(edge) for edge in each["box"]]} for each in found]}

    def network(image: str) -> Mapping[str, Any]:
        prepared = nudenet._read_image(image, detector.input_width)[0]
        scores = detector.onnx_session.run(None, {detector.input_name: prepared})[0][0, 4:].max(axis=0)
        return {"file": os.path.join(os.path.dirname(nudenet.__file__), "best.onnx"), "scores": [float(score) for score in scores]}

    return {"detect": detect, "network": network}


if __name__ == "__main__":
    serve({"hpsv2": hpsv2, "image-reward": image_reward, "nudenet-308": nudenet_308}[sys.argv[1]]())
