"""The whole report: sections in their order, what was found in a few sentences, one page."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from analysis.comparison_section import comparison_section
from analysis.constraint_sections import coefficient_findings
from analysis.findings import write_sentences
from analysis.leaderboard import best_trial, published_trial
from analysis.pareto_section import pareto_section
from analysis.report_page import Section, write_report_page
from analysis.report_sections import (
    curves_section,
    error_section,
    explanation_section,
    galaxies_section,
    hyperparameter_sections,
    leaderboard_section,
)
from analysis.study_results import StudyResults

PAGE = "report.html"


def write_report(
    results: StudyResults, folder: Path, *, on_section: Callable[[str], None] = lambda title: None
) -> Path:
    """Write figures, tables, findings.txt and report.html into `folder`; returns the page's path.

    `on_section` hears the title of each section that is done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections: list[Section] = []

    def add(*made: Section) -> None:
        for section in made:
            sections.append(section)
            on_section(section.title)

    add(leaderboard_section(results, folder))
    summary = outcome_sentences(results)
    for told in (pareto_section(results, folder), comparison_section(results)):
        if told is not None:
            add(told[0])
            summary += told[1]
    findings = coefficient_findings(
        results.studies or {results.name: results.records}, results.curves, folder
    )
    summary += [sentence for finding in findings for sentence in finding.sentences]
    add(*(finding.section for finding in findings))
    add(*curves_section(results, folder))
    drawn = {name for finding in findings for name in finding.trial_ids}
    rest = [r for r in results.records if r.id not in drawn]  # the others are drawn already
    add(*hyperparameter_sections(replace(results, records=rest), folder))
    for part in (error_section, galaxies_section, explanation_section):
        add(*part(results, folder))
    write_sentences(summary, folder)
    return write_report_page(
        folder / PAGE,
        title=f"Study {results.name}",
        facts=results.facts,
        summary=[*summary, *results.notes],
        sections=sections,
    )


def outcome_sentences(results: StudyResults) -> list[str]:
    """How many trials ended how, the best of them, and its gain over the published config.

    Where every trial was of a grid there was no search that could gain.
    """
    counts = [
        f"{number} {status}"
        for status in ("complete", "pruned", "failed")
        if (number := sum(r.status == status for r in results.records))
    ]
    sentences = [f"{len(results.records)} trials ended: {', '.join(counts)}."]
    if not any(r.status == "complete" for r in results.records):
        return [*sentences, "No trial is complete, so nothing is compared yet."]
    best, published = best_trial(results.records), published_trial(results.records)
    value = best.val_rmse or 0.0
    sentences.append(
        f"Best is trial {best.id}, {best.architecture}: validation RMSE {value:.4f} "
        f"(noise floor {results.noise_floor:.4f})."
    )
    if results.only_grids or published is None or published.id == best.id:
        return sentences
    if published.val_rmse:
        gain = 100 * (1 - value / published.val_rmse)
        sentences.append(
            f"The best published config among the trials, {published.architecture}, reaches "
            f"{published.val_rmse:.4f}; the best trial is {gain:.1f} % below it. A validation "
            "RMSE that was chosen as the lowest of many flatters; the test RMSE does not."
        )
    return sentences
