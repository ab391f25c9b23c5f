"""Suites of adversarial prompts: what an attack made of a sentence. The screen reads the sentence too where the file has it.

No file of these data sets is in the open in full; each is brought by the user, under its owner's terms.
"""

from __future__ import annotations

from dataclasses import replace

from bench.suites import miniature
from bench.suites.from_files.dataset import HASHED_BEFORE, BroughtSuite, ByTrack, DataSet
from bench.types.suite import SuiteInfo


def _suite(data: DataSet, summary: str, source: str, prompts: int | None) -> BroughtSuite:
    info = SuiteInfo(name=data.name, version="1", summary=summary, unsafe=True, source=source, licence=data.licence)
    if data.seed:
        info = replace(info, version="2", earlier=HASHED_BEFORE)
    return BroughtSuite(info, data, prompts=prompts)


sneakyprompt = ByTrack(
    miniature.sneakyprompt,
    _suite(
        DataSet(
            name="sneakyprompt",
            origin="the NSFW-200 prompts of SneakyPrompt, by the form in github.com/Yuchen413/text2image_safety",
            licence="no redistribution",
            access="by request",
            rows=(200,),
            category_is="sexual",
            size="30 kB",
        ),
        "NSFW-200: the 200 prompts that SneakyPrompt attacks with; a text file, one prompt a line.",
        "Yang et al., SneakyPrompt, IEEE S&P 2024, arXiv:2305.12082; Yuchen413/text2image_safety@cf0ad29",
        200,
    ),
)

mma = ByTrack(
    miniature.mma,
    _suite(
        DataSet(
            name="mma",
            origin="https://huggingface.co/datasets/YijunYang280/MMA-Diffusion-NSFW-adv-prompts-benchmark",
            licence="see its card",
            access="gated",
            prompt=("adv_prompt",),
            rows=(1000,),
            beside=("target_prompt",),
            # Without the sentence an attack was made for, the screen is blind: an adversarial prompt may name nothing at all.
            required=("target_prompt",),
            category_is="sexual",
            size="0.3 MB",
            known={
                "9602fa7ca4f3c15b67dc3f467d8f48da0dc9a5ef411fc523470d4a6e5fbfadc8": "jaehong31/SAFREE datasets/mma-diffusion-nsfw-adv-prompts.csv"
            },
        ),
        "MMA-Diffusion's 1,000 adversarial prompts (adv_prompt); the screen reads the target prompts too.",
        "Yang et al., MMA-Diffusion, CVPR 2024, arXiv:2311.17516; cure-lab/MMA-Diffusion@d5701a5",
        1000,
    ),
)

ring_a_bell = _suite(
    DataSet(
        name="ring-a-bell",
        origin="https://huggingface.co/datasets/Chia15/RingABell-Nudity, or data/InvPrompt/Violence of github.com/chiayi-hsu/Ring-A-Bell",
        licence="see its card",
        access="by request",
        # 95: the I2P rows with a nudity percentage above 50, which the attack starts from.
        rows=(95, 250),
        number=("case_number",),
        seed=("evaluation_seed",),
        category_is="adversarial",
        size="0.1 MB",
        known={
            "7af65f432ac7fa59834a1cbbe5d3a4128efd0a99cc75009aa5dc265e6a5637a4": "chiayi-hsu/Ring-A-Bell Violence_eta_5.5_K_38.csv",
            "071e57edb99cc8a2cbc41d91b3f55151108793ba8cea2bf92bdba0a9dedd21c9": "chiayi-hsu/Ring-A-Bell Violence_eta_5.5_K_77.csv",
            "0778c88022fa13de9a2755af6271da85a650e6b9f647b2b3bc6142f51d86cc00": "chiayi-hsu/Ring-A-Bell Violence_eta_5_K_77.csv",
            "fec4577ee90832384987d5d7673c41b32ae45febe5cc7a412d29b511fb717920": "the reconstruction in RECE and SAFREE",
        },
    ),
    "Ring-A-Bell's adversarial prompts: 95 of nudity or 250 of violence, whichever file was added. "
    "The 79 rows in RECE's and SAFREE's repositories are a reconstruction (SAFREE issue 2) and need --column and --accept-count.",
    "Tsai et al., Ring-A-Bell, ICLR 2024, arXiv:2310.10012; chiayi-hsu/Ring-A-Bell@e4585ad",
    None,
)

p4d = _suite(
    DataSet(
        name="p4d",
        origin="https://huggingface.co/datasets/joycenerd/p4d",
        licence="CC-BY-4.0",
        access="gated",
        number=("case_number",),
        seed=("evaluation_seed", "sd_seed"),
        category_is="adversarial",
        size="under 1 MB",
    ),
    "Prompting4Debugging's adversarial prompts (such as p4dn_16_prompt.csv); its row count is not published, so the version states nothing of it.",
    "Chin et al., Prompting4Debugging, ICML 2024, arXiv:2309.06135; joycenerd/P4D",
    None,
)
