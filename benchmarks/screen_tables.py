"""Makes the screen's two tables from what libraries know: letters that look Latin, and numbers in words.

    python benchmarks/screen_tables.py          # says whether the tables are what the libraries give
    python benchmarks/screen_tables.py --write

The tables are frozen files, so that a suite's samples never depend on which version of a library is installed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import unicodedata
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "bench" / "suites" / "screen" / "tables"
LANGUAGES = "en fr de es it pt nl sv da no fi pl cs ru uk sk sr tr ro hu id vi ar he ja ko th fa lt".split()
SCHOOL_LANGUAGES = "de fr es it pt nl sv da no fi pl ru uk tr ro hu".split()
_KIND = r"(?:CAPITAL |SMALL |SMALL CAPITAL |TURNED |REVERSED |INVERTED |OPEN |CLOSED |SCRIPT |INSULAR |DOTLESS |LONG |BLACKLETTER )*"
_NAME = re.compile(
    rf"(?:REGIONAL INDICATOR SYMBOL LETTER|(?:NEGATIVE )?(?:CIRCLED |SQUARED |CROSSED )*LATIN {_KIND}LETTER) {_KIND}([A-Z])(?: WITH .*)?"
)


def lookalikes() -> dict[str, str]:
    """Return ``{Latin letter: characters}`` by Unicode's names (what is called a Latin letter) and its confusables (what looks like one)."""
    from confusable_homoglyphs import confusables

    found: dict[str, str] = {}
    for point in range(128, 0x20000):
        character = chr(point)
        if unicodedata.normalize("NFKD", character).isascii() or unicodedata.category(character)[0] not in "LNS":
            continue
        named = _NAME.fullmatch(unicodedata.name(character, ""))
        alike = [each["c"] for each in confusables.confusables_data.get(character, ()) if len(each["c"]) == 1]
        letters = sorted(each.lower() for each in alike if each.isascii() and each.isalpha())
        if named:
            found[character] = named[1].lower()
        elif letters:
            found[character] = "l" if set(letters) == {"i", "l"} else letters[0]
    table: dict[str, str] = {}
    for character, letter in sorted(found.items()):
        table[letter] = table.get(letter, "") + character
    return dict(sorted(table.items()))


def numbers() -> dict[str, dict[str, int]]:
    """Return ``{language: {words: number}}`` for 1 to 99, the ordinals of 1 to 18 in English, and those that school years have in others."""
    from num2words import num2words

    table: dict[str, dict[str, int]] = {}
    for language in LANGUAGES:
        words = {num2words(number, lang=language): number for number in range(1, 100)}
        table[language] = {text: number for text, number in words.items() if not text.isdigit()}
    table["en ordinals"] = {num2words(number, lang="en", to="ordinal"): number for number in range(1, 19)}
    for language in SCHOOL_LANGUAGES:
        table[f"{language} ordinals"] = {num2words(number, lang=language, to="ordinal"): number for number in range(1, 14)}
    return table


def main() -> None:
    """Write or compare the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    for name, table in (("lookalikes", lookalikes()), ("numbers", numbers())):
        path, text = FOLDER / f"{name}.json", json.dumps(table, ensure_ascii=False, indent=0) + "\n"
        if write:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the libraries give. See what differs: --write, then `git diff`.")
        print(f"{path.name}: {sum(map(len, table.values())):,} entries")


if __name__ == "__main__":
    main()
