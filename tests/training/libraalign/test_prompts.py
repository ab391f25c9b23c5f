"""The pool of prompts: the child-safety screen and what it publishes, what is left out and why, categories by concept, a stable order."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.miniature.vocabulary import FAMILIES, PARTS
from training.libraalign.config import PromptSettings
from training.libraalign.prompts import CATEGORIES, PromptPool, categorise, draw_mini, make_pool, mini_concepts, read_concepts, read_prompts

SCHOOL = "a school yard in the rain"
"""Harmless, but the screen is over-inclusive on purpose and takes it from what is declared unsafe."""
CONCEPTS = {"storm": "shocking", "storm over a bridge": "violence", "old mill": "hate"}


def pool(rows: list[tuple[str, str]], **changes: object) -> PromptPool:
    given: dict[str, object] = {"unsafe": True, "concepts": CONCEPTS, "seed": 3, "limit": None, "taken": frozenset()}
    return make_pool(rows, **given | changes)  # type: ignore[arg-type]


def texts(made: PromptPool) -> set[str]:
    return {prompt.text for prompt in made.prompts}


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_the_screen_takes_from_harmful_rows_and_publishes_hashes_alone() -> None:
    made = pool([(SCHOOL, "hate"), ("a grey hill", "hate")])
    assert texts(made) == {"a grey hill"}
    assert made.screened == (hashlib.sha256(SCHOOL.encode()).hexdigest(),)
    assert made.left_out == {"taken by the child-safety screen": 1}


def test_the_screen_leaves_the_same_text_among_benign_rows() -> None:
    made = pool([(SCHOOL, ""), ("a grey hill", "")], unsafe=False)
    assert texts(made) == {SCHOOL, "a grey hill"} and made.screened == () and made.left_out == {}
    assert {prompt.category for prompt in made.prompts} == {"benign"}


def test_no_category_or_limit_brings_a_screened_row_back() -> None:
    for category in (*CATEGORIES, "", "benign"):
        with_concept = pool([(f"{SCHOOL} with a storm", category), ("a storm", "")], limit=2)
        assert texts(with_concept) == {"a storm"} and len(with_concept.screened) == 1


def test_what_is_left_out_is_counted_by_reason() -> None:
    rows = [
        ("a grey hill", "hate"),
        ("  a grey\thill ", "violence"),
        ("", "hate"),
        (" \n", "hate"),
        ("a red cross on tan background", "hate"),
        ("a green hill", ""),
        ("a green lake", "weather"),
        ("a storm", "weather"),
        (SCHOOL, "hate"),
    ]
    made = pool(rows, taken=frozenset({"a red cross on tan background"}))
    assert made.left_out == {
        "taken by the child-safety screen": 1,
        "twice": 1,
        "empty": 2,
        "a suite's own prompt": 1,
        "no known category or concept": 2,
    }
    assert {(prompt.text, prompt.category, prompt.concept) for prompt in made.prompts} == {
        ("a grey hill", "hate", ""),
        ("a storm", "shocking", "storm"),
    }
    assert len(made.prompts) + sum(made.left_out.values()) == len(rows)


def test_a_suites_prompt_is_recognised_however_its_blanks_are_written() -> None:
    assert pool([("a  grey hill ", "hate")], taken=frozenset({"a grey hill"})).left_out == {"a suite's own prompt": 1}


def test_the_longest_concept_counts() -> None:
    assert categorise("a storm over a bridge at dusk", CONCEPTS) == ("violence", "storm over a bridge")
    assert categorise("a storm over the bridge", CONCEPTS) == ("shocking", "storm")


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Storm!", "storm"),
        ("(STORM), oil on canvas", "storm"),
        ("the old-mill", "old mill"),
        ("an OLD\n mill.", "old mill"),
        ("brainstorming", ""),
        ("storms", ""),
        ("a mill, old", ""),
        ("", ""),
    ],
)
def test_a_concept_is_whole_words_whatever_stands_between(text: str, concept: str) -> None:
    assert categorise(text, CONCEPTS) == (CONCEPTS.get(concept, ""), concept)


def test_the_order_is_the_seeds_and_a_smaller_limit_is_a_prefix() -> None:
    rows = [(f"a hill, number {number}", CATEGORIES[number % 7]) for number in range(60)]
    whole = pool(rows)
    assert whole == pool(rows) and len(whole.prompts) == 60
    assert [prompt.prompt_id for prompt in whole.prompts] == [f"harmful-{number:06d}" for number in range(60)]
    for limit in (1, 7, 59):
        assert pool(rows, limit=limit).prompts == whole.prompts[:limit]
    assert pool(rows, limit=1000).prompts == whole.prompts
    in_file, shuffled = [text for text, _ in rows], [prompt.text for prompt in whole.prompts]
    assert shuffled != in_file and sorted(shuffled) == sorted(in_file)
    assert [prompt.text for prompt in pool(rows, seed=4).prompts] != shuffled


def test_harmful_and_benign_pools_are_shuffled_apart() -> None:
    rows = [(f"a hill, number {number}", "hate") for number in range(60)]
    assert [prompt.text for prompt in pool(rows).prompts] != [prompt.text for prompt in pool(rows, unsafe=False).prompts]


def test_the_seven_categories_are_the_miniatures_families() -> None:
    assert tuple(family.category for family in FAMILIES) == CATEGORIES and len(CATEGORIES) == 7


def test_a_concepts_file_gives_each_concept_its_category(tmp_path: Path) -> None:
    path = written(tmp_path / "concepts.csv", "category,concept,note\nHate, Old Mill ,x\nshocking,storm,\nviolence,,no concept\n")
    assert read_concepts(path) == {"old mill": "hate", "storm": "shocking"}


@pytest.mark.parametrize("content", ["prompt,category\na grey hill,hate\n", "prompt,category\r\na grey hill,hate\r\n"])
def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path: Path, content: str) -> None:
    assert read_prompts(written(tmp_path / "prompts.csv", content, "utf-8-sig")) == [("a grey hill", "hate")]


def test_a_byte_order_mark_before_concepts(tmp_path: Path) -> None:
    assert read_concepts(written(tmp_path / "c.csv", "category,concept\nhate,old mill\n", "utf-8-sig")) == {"old mill": "hate"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("category,concept\nhate,old mill\nweather,storm\n", r"line 3: unknown category 'weather'; expected one of: hate, harassment"),
        ("category,word\nhate,old mill\n", r"no column 'concept'; it has: category, word"),
        ("concept\nold mill\n", r"no column 'category'"),
        ("", r"no column 'category'; it has: none"),
        ("category,concept\n", r"names no concept"),
        ("category,concept\nhate\n", r"names no concept"),
    ],
)
def test_a_bad_concepts_file_is_one_clear_line(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(BenchError, match=says) as caught:
        read_concepts(written(tmp_path / "concepts.csv", content))
    assert str(tmp_path / "concepts.csv") in str(caught.value) and "\n" not in str(caught.value)


def test_a_line_number_counts_as_an_editor_does(tmp_path: Path) -> None:
    content = 'category,concept\nhate,"old\nmill"\n\nweather,storm\n'
    with pytest.raises(BenchError, match="line 5: unknown category 'weather'"):
        read_concepts(written(tmp_path / "concepts.csv", content))


def test_prompts_without_their_column_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no column 'prompt'; it has: text, category"):
        read_prompts(written(tmp_path / "prompts.csv", "text,category\na grey hill,hate\n"))


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path, written(tmp_path / "file", "x") / "below.csv"):
        with pytest.raises(BenchError, match="CSV file with the columns: prompt") as caught:
            read_prompts(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_utf_8_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="not a UTF-8 CSV file") as caught:
        read_prompts(written(tmp_path / "prompts.csv", "prompt\nun château gris\n", "latin-1"))
    assert "\n" not in str(caught.value)


def test_a_row_that_ends_early_is_empty_and_not_a_crash(tmp_path: Path) -> None:
    rows = read_prompts(written(tmp_path / "prompts.csv", "category,prompt\nhate,a grey hill\nhate\n"))
    assert rows == [("a grey hill", "hate"), ("", "hate")]
    assert pool(rows).left_out == {"empty": 1}


def test_i2ps_own_file_counts_by_its_first_category(tmp_path: Path) -> None:
    content = 'prompt,categories,hard\n"a hill, grey","sexual, violence",1\na lake,Illegal Activity,0\na mill, self-harm ,0\na bridge,,0\n'
    rows = read_prompts(written(tmp_path / "i2p.csv", content))
    assert rows == [("a hill, grey", "sexual"), ("a lake", "illegal activity"), ("a mill", "self-harm"), ("a bridge", "")]
    made = pool(rows, concepts={})
    assert {prompt.text: prompt.category for prompt in made.prompts} == {
        "a hill, grey": "sexual",
        "a lake": "illegal activity",
        "a mill": "self-harm",
    }


def test_the_miniatures_draw_has_the_seven_categories_and_no_word_of_the_adversarys() -> None:
    synonyms = {word for family in FAMILIES for word in family.synonyms}
    harmful = draw_mini(600, unsafe=True, seed=5)
    assert {category for _, category in harmful} == set(CATEGORIES)
    words = {word for text, _ in harmful for word in text.split()}
    assert not synonyms & words
    assert {family.word for family in FAMILIES} | {family.context for family in FAMILIES} | set(PARTS.values()) <= words
    benign = draw_mini(300, unsafe=False, seed=5)
    assert {category for _, category in benign} == {"benign"}
    hazards = {family.word for family in FAMILIES} | {family.context for family in FAMILIES} | set(PARTS.values()) | synonyms
    assert not hazards & {word for text, _ in benign for word in text.split()}


def test_the_miniatures_draw_is_the_seeds() -> None:
    assert draw_mini(40, unsafe=True, seed=5) == draw_mini(40, unsafe=True, seed=5) != draw_mini(40, unsafe=True, seed=6)


def test_the_miniatures_concepts_agree_with_its_grammar() -> None:
    for text, category in draw_mini(200, unsafe=True, seed=8):
        assert categorise(text, mini_concepts())[0] == category
    for text, _ in draw_mini(200, unsafe=False, seed=8):
        assert categorise(text, mini_concepts()) == ("", "")


def test_limits_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        PromptSettings(harmful="mini", benign="mini", harmful_limit=0, benign_limit=1)
