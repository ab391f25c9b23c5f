"""Which column of a user's file of prompts plays which role: by the spellings that are in use, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench.errors import BenchError
from bench.suites.from_files.normalise import LOOKS
from bench.suites.from_files.read import FileTable, refuse, shown

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "prompts", "adv_prompt", "caption", "text"),
    "id": ("id", "prompt_id", "case_number"),
    "category": ("category", "categories"),
    "seed": ("seed", "sd_seed", "evaluation_seed"),
    "guidance": ("guidance", "guidance_scale", "cfg_scale", "cfg", "sd_guidance_scale", "evaluation_guidance"),
    "steps": ("steps", "num_inference_steps", "inference_steps"),
    "width": ("width", "image_width", "sd_image_width"),
    "height": ("height", "image_height", "sd_image_height"),
    "beside": ("target_prompt",),
}
"""Of every role the names that are taken, in any capitals; of several columns the first. ``beside`` is screened with the prompt and not generated."""

_LOOKS = {**LOOKS, "steps": r"steps"}


def check_roles(given: Mapping[str, str]) -> None:
    """Refuse ``--column`` for what is no role.

    Raises:
        BenchError: it is none.
    """
    for role, name in given.items():
        if role not in SPELLINGS or not name:
            raise BenchError(f"--column is ROLE=NAME, and a role is one of {', '.join(SPELLINGS)}; got {role}={name}. Example: --column prompt=TEXT.")


def names(given: Mapping[str, str]) -> set[str]:
    """Return every column that may be read."""
    return {*given.values(), *(name for spellings in SPELLINGS.values() for name in spellings)}


def roles(table: FileTable, given: Mapping[str, str]) -> dict[str, str]:
    """Return ``{role: column}`` for the roles that the file has.

    Args:
        table: the file.
        given: what the user says, ``{role: column}``.

    Raises:
        BenchError: there is no column of prompts, or none that the user names, or two that differ in capitals alone.
    """
    there = {name.lower(): name for name in reversed(table.columns)}
    has = f"it has: {shown(table.columns)}"
    found: dict[str, str] = {}
    for role, spellings in SPELLINGS.items():
        if role in given and given[role] not in table.columns and given[role].lower() not in there:
            raise refuse(table.path, f"there is no column {given[role]!r} for the {role}; {has}", f"Name one of them: --column {role}=NAME.")
        known = (given[role],) if role in given else spellings
        exact = given[role] if role in given and given[role] in table.columns else None
        name = exact or next((there[each.lower()] for each in known if each.lower() in there), None)
        if name is None:
            continue
        alike = [each for each in table.columns if each.lower() == name.lower()]
        if len(alike) > 1 and exact is None:
            raise refuse(table.path, f"the columns {shown(alike)} differ in capitals alone", f"Say which is meant: --column {role}={alike[0]}.")
        found[role] = name
    if "prompt" not in found:
        raise refuse(table.path, f"there is no column of prompts (one of {', '.join(SPELLINGS['prompt'])}); {has}", _mend_header(table))
    if len(table.columns) == 1 and _bare(table):
        raise refuse(table.path, f"its one column is called {has.removeprefix('it has: ')}, which is no usual name of one", _mend_header(table))
    return found


def _bare(table: FileTable) -> bool:
    """Return whether the first line of a CSV or TSV file may be a prompt: no column has a name that is in use."""
    return table.form in ("csv", "tsv") and not any(name.lower() in spellings for name in table.columns for spellings in SPELLINGS.values())


def _mend_header(table: FileTable) -> str:
    """Return what to do where no column of prompts is known."""
    if not _bare(table):
        return "Name it: --column prompt=NAME."
    named = " If it does name the columns, say which is the prompt's: --column prompt=NAME."
    again = " If it does name the column, call that 'prompt'."
    taken = "The first line is taken as the columns' names. If it is a prompt, put a line with the word prompt above it, or call the file .txt."
    return taken + (again if len(table.columns) == 1 else named)


def unread(table: FileTable, found: Mapping[str, str]) -> list[str]:
    """Return the columns that are not read, each that looks like a role of its own with what was read in its place."""
    said = []
    for name in table.columns:
        if name in found.values():
            continue
        role = next((role for role, looks in _LOOKS.items() if re.search(looks, name.lower()) and role in SPELLINGS), None)
        role = role or next((role for role, spellings in SPELLINGS.items() if name.lower() in spellings), None)
        if role is not None and role in found:
            said.append(f"{shown([name])} (looks like the {role}; {shown([found[role]])} was read)")
        else:
            said.append(shown([name]) + (f" (looks like the {role}: --column {role}={name})" if role and shown([name]) != "?" else ""))
    return said
