"""findings.txt: what trials support, a sentence a line.

Loads what computes and draws only where trials can tell something: a search waits for this.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.trial_record import TrialRecord, differ_only_in
from trainables.files import write_atomically

FINDINGS = "findings.txt"


def write_sentences(sentences: Iterable[str], folder: Path) -> None:
    """Write findings.txt, a sentence a line."""
    text = "".join(f"{sentence}\n" for sentence in sentences)
    write_atomically(folder / FINDINGS, lambda path: path.write_text(text))


def write_findings(
    study: str,
    records: Sequence[TrialRecord],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    folder: Path,
) -> list[str]:
    """Figures, tables and findings.txt on coefficients, where a study's trials were about those.

    Returns the sentences of findings.txt; [] where there is none.
    """
    if not _may_be_about_coefficients(records):
        return []
    from analysis.constraint_sections import coefficient_findings

    findings = coefficient_findings({study: records}, curves, folder)
    sentences = [sentence for finding in findings for sentence in finding.sentences]
    if sentences:
        write_sentences(sentences, folder)
    return sentences


def _may_be_about_coefficients(records: Sequence[TrialRecord]) -> bool:
    """Whether some architecture's trials differ in nothing but coefficients, tree and seed."""
    about = ("constraint_coefficient", "constraint_coefficients", "tree", "seed")
    architectures = {record.architecture for record in records}
    return any(
        differ_only_in((r for r in records if r.architecture == name), *about)
        for name in architectures
    )
