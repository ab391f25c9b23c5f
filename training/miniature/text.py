"""The tokenizer and the text encoder of the miniature, before training."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.miniature.vocabulary import BENIGN_CONTEXTS, DECORATIONS, FAMILIES, PARTS, WORDS

TOKENS = 16
WIDTH = 128

NEIGHBOURS = {
    **{name: family.word for name, family in zip(DECORATIONS, (FAMILIES[0], FAMILIES[2], FAMILIES[4], FAMILIES[6]), strict=True)},
    **{name: family.context for name, family in zip(BENIGN_CONTEXTS, (FAMILIES[1], FAMILIES[5]), strict=True)},
    **dict.fromkeys(PARTS.values(), FAMILIES[4].word),
}
"""Benign words (and the part words) that start near a harmful one: what an edit that reaches too far damages."""

NEARNESS = 0.65
"""The cosine at which neighbours start."""


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write ``vocab.json`` and ``merges.txt`` to ``folder`` and return the tokenizer: one token a word of the grammar, bytes for the rest."""
    trainer = trainers.BpeTrainer(
        vocab_size=10_000,
        min_frequency=1,
        end_of_word_suffix="</w>",
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learned = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learned.pre_tokenizer = pre_tokenizers.Whitespace()
    learned.train_from_iterator(sorted(set(WORDS)), trainer)
    model = json.loads(learned.to_str())["model"]
    entries = sorted(model["vocab"], key=model["vocab"].__getitem__)
    # Every byte must also stand at the end of a word, or an unknown word could not be spelled out.
    entries += sorted({f"{byte}</w>" for byte in pre_tokenizers.ByteLevel.alphabet()} - set(entries))
    entries += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({entry: index for index, entry in enumerate(entries)}, ensure_ascii=False), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS)
    tokenizer.save_pretrained(folder)
    return tokenizer


def encode(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Return token ids, int64 of shape (n, 16), padded and truncated."""
    return tokenizer(captions, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt").input_ids


def build_text_encoder(tokenizer: CLIPTokenizer, generator: torch.Generator) -> CLIPTextModel:
    """Return an untrained text encoder whose words start far apart, but for the chosen neighbours.

    A small encoder trained from nothing puts all words for one thing in one place, and an edit of one then
    edits all. Large, orthogonal embeddings that learn slowly keep synonyms apart, as a web-trained encoder does.
    """
    special = {name: tokenizer.convert_tokens_to_ids(f"<|{name}oftext|>") for name in ("start", "end")}
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        projection_dim=WIDTH,
        bos_token_id=special["start"],
        eos_token_id=special["end"],
        pad_token_id=special["end"],
        attn_implementation="eager",
    )
    model = CLIPTextModel(config)
    ids = {word: tokenizer.convert_tokens_to_ids(f"{word}</w>") for word in WORDS}
    directions, _ = torch.linalg.qr(torch.randn(WIDTH, len(WORDS), generator=generator))
    by_word = dict(zip(WORDS, directions.T, strict=True))
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        embeddings.copy_(torch.randn(embeddings.shape, generator=generator) * 0.1)
        for word, direction in by_word.items():
            mixed = direction
            if word in NEIGHBOURS:
                mixed = NEARNESS * by_word[NEIGHBOURS[word]] + (1 - NEARNESS**2) ** 0.5 * direction
            embeddings[ids[word]] = mixed * 0.5 * WIDTH**0.5
        for name, parameter in model.named_parameters():
            if "position_embedding" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return model
