"""The tables of the terminal, and the same rows in a notebook."""

from io import StringIO

from rich.console import Console

from analysis.records import TrialRecord, make_leaderboard
from galaxytune.cli.tables import leaderboard_table
from galaxytune.study.html import study_html
from tests.support.records import record
from tests.support.studies import BeginStudy
from trainables.files import append_line

SEARCHED = [record(0, 0.1001, seed=0), record(1, 0.2, learning_rate=2e-3)]
FURTHER = record(2, 0.1003, seed=500).model_copy(update={"further_seed": True})


def shown(*records: TrialRecord) -> str:
    console = Console(file=StringIO(), width=150)
    console.print(leaderboard_table(make_leaderboard({"s": records}), "the noise floor"))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_seeds_and_means_have_columns_where_a_config_has_several_seeds() -> None:
    lines = shown(*SEARCHED, FURTHER).splitlines()
    assert any("seeds" in line and "mean val RMSE" in line for line in lines)
    (best,) = (line.split() for line in lines if "00000" in line)
    (other,) = (line.split() for line in lines if "00001" in line)
    assert ("2", "0.1002") == (best[-4], best[-2]) and ("1", "0.2000") == (other[-4], other[-2])
    assert "seeds" not in shown(*SEARCHED)


def test_a_notebook_shows_seeds_where_a_config_has_several(begin_study: BeginStudy) -> None:
    folder = begin_study()
    for each in SEARCHED:
        append_line(folder.records_file, each.model_dump(mode="json"))
    assert "num_seeds" not in study_html(folder)
    append_line(folder.records_file, FURTHER.model_dump(mode="json"))
    page = study_html(folder)
    assert "<th>num_seeds</th>" in page and "<td>0.1002</td>" in page
