"""Reads what a user has written as YAML; whatever it is instead is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError, first_line


def read_yaml(path: Path) -> Any:
    """Return what the YAML file at ``path`` holds.

    Raises:
        FileNotFoundError: there is none; who asks knows what there is instead.
        BenchError: it cannot be read, is no UTF-8, or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror or error}. Give a YAML file.") from None
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not UTF-8: byte {error.start}. Save it again as UTF-8.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BenchError(f"{path} is not YAML: {first_line(error)}.") from error
