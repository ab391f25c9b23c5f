"""Submissions: bundles of results that others send in, how they are made, checked and verified.

``bench submit`` makes a bundle from finished runs, ``bench validate`` checks one, ``bench verify`` makes some of its images again.
From Python: :func:`validate`. A bundle is untrusted input: docs/submit.md says what is checked.
"""

from __future__ import annotations

from leaderboards.submissions.guard import validate
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict

__all__ = ["CheckResult", "CheckVerdict", "validate"]
