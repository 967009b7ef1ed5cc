"""The whole report: all sections in their order, the summary, and one page."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from analysis.records import best_trial, published_trial
from analysis.report.ablation_section import ablation_sections
from analysis.report.comparison_section import comparison_section
from analysis.report.constraint_sections import coefficient_findings
from analysis.report.findings import write_sentences
from analysis.report.page import Section, write_report_page
from analysis.report.pareto_section import pareto_section
from analysis.report.sections import (
    curves_section,
    error_section,
    explanation_section,
    galaxies_section,
    hyperparameter_sections,
    leaderboard_section,
)
from analysis.report.study_results import StudyResults
from analysis.statistics import seeds_sentence

PAGE = "report.html"


def write_report(
    results: StudyResults, folder: Path, *, on_section: Callable[[str], None] = lambda title: None
) -> Path:
    """Write figures, tables, findings.txt and report.html to `folder`; return the page's path.

    findings.txt holds the sentences of the summary. results: the results to report, with at least
    one trial. folder: the output folder, which is made if it does not exist; files of the same
    names are replaced. on_section: a function that is called with the title of each section after
    the section's figures are written.

    OSError is raised if a file cannot be written. Errors of the heat maps, such as OutOfMemory,
    are those of `explain`. ValueError is raised if two networks of `results.best` were tested on
    different galaxies.
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
    add(*ablation_sections(results, folder))
    findings = coefficient_findings(
        results.studies or {results.name: results.records}, results.curves, folder
    )
    summary += [sentence for finding in findings for sentence in finding.sentences]
    add(*(finding.section for finding in findings))
    add(*curves_section(results, folder))
    drawn = {name for finding in findings for name in finding.trial_ids}
    rest = [r for r in results.records if r.id not in drawn]  # others are shown above
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
    """Return sentences on how the trials ended, the best trial, and the gain of the search.

    results: the results to report, with at least one trial. The best trial is the first trial of
    `ranked`; if further seeds were trained, a sentence says how sure its config is. The gain is
    how much, in percent, the validation RMSE of the best trial is below the RMSE of the best
    published config; the gain is negative if the published config has the lower RMSE but breaks
    the limit on the tree residual. The gain is left out if every trial comes from a grid, if no
    trial with a published config is complete, or if the best trial has a published config. Without
    a complete trial, a sentence says that nothing is compared.
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
    sure = seeds_sentence(results.records)
    if sure is not None:
        sentences.append(f"{sure[0].upper()}{sure[1:]}.")
    if results.only_grids or published is None or published.id == best.id:
        return sentences
    if published.val_rmse:
        gain = 100 * (1 - value / published.val_rmse)
        sentences.append(
            f"The best published config among the trials, {published.architecture}, reaches "
            f"{published.val_rmse:.4f}; the best trial is {gain:.1f} % below it. The lowest "
            "validation RMSE of many is too optimistic; the test RMSE is not."
            if published.feasible is not False
            else f"The best published config among the trials, {published.architecture}, reaches "
            f"{published.val_rmse:.4f}, but it does not keep the limit on the tree residual."
        )
    return sentences
