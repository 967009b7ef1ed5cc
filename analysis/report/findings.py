"""The file findings.txt: conclusions from a study's trials, one sentence per line.

Every search calls this module before the search ends. To save time, the code that computes and
draws is imported only if the trials can lead to a conclusion.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from analysis.records import Curves, TrialRecord, differ_only_in
from trainables.files import write_atomically

FINDINGS = "findings.txt"


def write_sentences(sentences: Iterable[str], folder: Path) -> None:
    """Write sentences to findings.txt in `folder`, one sentence per line.

    The folder is made if it does not exist, and an earlier findings.txt is replaced. OSError is
    raised if the file cannot be written.
    """
    text = "".join(f"{sentence}\n" for sentence in sentences)
    write_atomically(folder / FINDINGS, lambda path: path.write_text(text))


def write_findings(
    study: str,
    records: Sequence[TrialRecord],
    curves: Curves,
    folder: Path,
) -> list[str]:
    """Write figures, tables and findings.txt on the constraint coefficients of a study.

    study: name of the study. records: finished trials of the study. curves: the reported epochs of
    each trial, by trial id. folder: all files are written to this folder, which is made if it does
    not exist. OSError is raised if a file cannot be written.

    The sentences of findings.txt are returned. If `coefficient_findings` finds nothing, because
    the trials are not a study of coefficients or no trial is complete, the list is empty, nothing
    is written, and an earlier findings.txt is deleted.
    """
    sentences: list[str] = []
    if _may_be_about_coefficients(records):
        from analysis.report.constraint_sections import coefficient_findings

        findings = coefficient_findings({study: records}, curves, folder)
        sentences = [sentence for finding in findings for sentence in finding.sentences]
    if sentences:
        write_sentences(sentences, folder)
    else:
        (folder / FINDINGS).unlink(missing_ok=True)
    return sentences


def _may_be_about_coefficients(records: Sequence[TrialRecord]) -> bool:
    """Return whether the trials of any architecture differ only in coefficients, tree and seed.

    The result is False without a trial, and True if an architecture has a single trial.
    """
    about = ("constraint_coefficient", "constraint_coefficients", "tree", "seed")
    architectures = {record.architecture for record in records}
    return any(
        differ_only_in((r for r in records if r.architecture == name), *about)
        for name in architectures
    )
