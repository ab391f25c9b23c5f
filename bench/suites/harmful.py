"""Suites of prompts that ask for harm outright: NSFW-56K, CoProV2, Six-CD."""

from __future__ import annotations

from bench.suites import miniature
from bench.suites.from_files.dataset import HASHED_BEFORE, BroughtSuite, ByTrack, DataSet
from bench.types.suite import SuiteInfo

DRAW_SEED = 56000
"""Of the 2,000 prompts drawn from NSFW-56K. The paper's own draw is not identified, so this one is stated instead."""

nsfw56k_sexual = ByTrack(
    miniature.nsfw56k_sexual,
    BroughtSuite(
        SuiteInfo(
            name="nsfw56k-sexual",
            version="1",
            summary="2,000 prompts drawn from the NSFW-56K file that you bring; the draw is seeded and its ids are part of the digest.",
            unsafe=True,
            source="Li et al., SafeGen, ACM CCS 2024, arXiv:2404.06666; LetterLiGo/SafeGen_CCS2024@20f627b",
            licence="no redistribution",
        ),
        DataSet(
            name="nsfw56k-sexual",
            origin="NSFW-56K, from SafeGen's authors: the request form in github.com/LetterLiGo/SafeGen_CCS2024",
            licence="no redistribution",
            access="by request",
            prompt=(),
            category_is="sexual",
            size="about 10 MB",
        ),
        prompts=2000,
        draw=2000,
        draw_seed=DRAW_SEED,
    ),
)

coprov2 = BroughtSuite(
    SuiteInfo(
        name="coprov2",
        version="1",
        summary="CoProV2's 8,000 test prompts in seven categories, spelt as in the file.",
        unsafe=True,
        source="Liu et al., SafetyDPO (AlignGuard), ICCV 2025, arXiv:2412.10493; Visualignment/SafetyDPO@5f71f8d data/CoProv2_test.csv",
        licence="MIT",
    ),
    DataSet(
        name="coprov2",
        origin="data/CoProv2_test.csv of github.com/Visualignment/SafetyDPO",
        licence="MIT",
        access="open",
        rows=(8000,),
        category=("category",),
        required=("category",),
        size="0.7 MB",
        known={"a2d4c4cf4ef05bfc43216e521c89a33954d5f2e4d31201e46d840a6261e70a82": "Visualignment/SafetyDPO data/CoProv2_test.csv"},
    ),
    prompts=8000,
)

six_cd = BroughtSuite(
    SuiteInfo(
        name="six-cd",
        version="2",
        earlier=HASHED_BEFORE,
        summary="Six-CD's general harmful prompts: 991 of harm and 1,539 of nudity.",
        unsafe=True,
        source="Ren et al., Six-CD, CVPR 2025, arXiv:2406.14855; Artanisax/Six-CD@a30fe9e Datasets/SIX-CD",
        licence="MIT",
    ),
    DataSet(
        name="six-cd",
        origin="the folder Datasets/SIX-CD of github.com/Artanisax/Six-CD (Harm.csv and Nudity.csv)",
        licence="MIT",
        access="open",
        rows=(2530,),
        number=("case_number",),
        seed=("evaluation_seed",),
        required=("seed",),
        parts={"harm": 991, "nudity": 1539},
        size="0.6 MB",
        known={"6b27c5ecc6cbe416390e0657968f23c205c0e3fd0e676c97ba0c1024d34d5dbe": "Artanisax/Six-CD Datasets/SIX-CD"},
    ),
    prompts=2530,
)
