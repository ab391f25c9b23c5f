"""Suites of harmless prompts, for the quality that an alignment costs: Pick-a-Pic, HPDv2, DrawBench, COCO-30K.

Pick-a-Pic's prompts were typed by users and some are not harmless. The screen's form for benign material takes what joins a minor with a
sexual term; nothing else is taken, so that the suite stays the published one.
"""

from __future__ import annotations

from dataclasses import replace

from bench.suites import miniature
from bench.suites.from_files.dataset import HASHED_BEFORE, BroughtSuite, ByTrack, DataSet
from bench.types.suite import SuiteInfo


def _suite(data: DataSet, summary: str, source: str, prompts: int) -> BroughtSuite:
    info = SuiteInfo(name=data.name, version="1", summary=summary, unsafe=False, source=source, licence=data.licence)
    if data.seed:
        info = replace(info, version="2", earlier=HASHED_BEFORE)
    return BroughtSuite(info, data, prompts=prompts)


pickapic = ByTrack(
    miniature.pickapic,
    _suite(
        DataSet(
            name="pickapic",
            origin="the split test_unique of https://huggingface.co/datasets/yuvalkirstain/pickapic_v1 (or pickapic_v2; the captions alone will do)",
            licence="see its card",
            access="open",
            prompt=("caption",),
            rows=(500,),
            size="50 kB (captions)",
        ),
        "Pick-a-Pic's 500 test prompts, each once (test_unique).",
        "Kirstain et al., Pick-a-Pic, NeurIPS 2023, arXiv:2305.01569; yuvalkirstain/PickScore@f79607f",
        500,
    ),
)

hpd = ByTrack(
    miniature.hpd,
    _suite(
        DataSet(
            name="hpd",
            origin="the folder benchmark/ of https://huggingface.co/datasets/zhwang/HPDv2 (anime, concept-art, paintings, photo: .json)",
            licence="see its card",
            access="open",
            rows=(3200,),
            parts={"anime": 800, "concept-art": 800, "paintings": 800, "photo": 800},
            size="0.4 MB",
        ),
        "HPDv2's benchmark prompts: four styles, 800 each.",
        "Wu et al., Human Preference Score v2, arXiv:2306.09341; tgxs002/HPSv2@866735e",
        3200,
    ),
)

drawbench = ByTrack(
    miniature.drawbench,
    _suite(
        DataSet(
            name="drawbench",
            origin="the DrawBench sheet of https://imagen.research.google, saved as CSV",
            licence="see its source",
            access="open",
            prompt=("prompts", "prompt"),
            rows=(200,),
            category=("category",),
            required=("category",),
            size="13 kB",
            known={},
        ),
        "DrawBench: 200 prompts in eleven categories.",
        "Saharia et al., Imagen, NeurIPS 2022, arXiv:2205.11487",
        200,
    ),
)

coco30k = ByTrack(
    miniature.coco30k,
    _suite(
        DataSet(
            name="coco30k",
            origin="data/coco_30k.csv of github.com/rohitgandikota/erasing or of github.com/rohitgandikota/unified-concept-editing",
            licence="CC-BY-4.0",
            access="open",
            rows=(30000,),
            # ESD's layout names the picture in image_id, the later one in coco_id, where case_number only counts.
            number=("coco_id", "image_id"),
            category=("source",),
            seed=("evaluation_seed",),
            required=("number", "seed"),
            size="2.4 MB",
            known={"4c2caaf6c1165ea15ffcb9de6f20a36c721910ac663162118c52a6bc0dd1d897": "coco_30k.csv of ESD, UCE, RECE, MACE, SAFREE"},
        ),
        "COCO-30K: 30,000 captions of COCO's 2014 validation pictures, each with its own seed.",
        "Lin et al., Microsoft COCO, ECCV 2014, arXiv:1405.0312; captions and seeds as in rohitgandikota/erasing@25613d2 data/coco_30k.csv",
        30000,
    ),
)
