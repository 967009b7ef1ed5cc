"""The lines that tell of files left out."""

from trainables.galaxies.skipped import Skipped, grouped


def test_files_skipped_alike_share_a_line() -> None:
    many = [Skipped(f"{i}.jpg", "has no votes") for i in range(1234)]
    assert grouped([many[0], Skipped("x.png", "is empty"), *many[1:]]) == [
        "1,234 files, such as 0.jpg: has no votes",
        "x.png: is empty",
    ]
    assert grouped([]) == []


def test_the_text_is_name_and_reason() -> None:
    assert str(Skipped("5.jpg", "has no votes")) == "5.jpg: has no votes"


def test_many_reasons_are_counted_in_the_last_line() -> None:
    skipped = [Skipped(f"{i}.jpg", f"reason {i // 2}") for i in range(40)]
    lines = grouped(skipped, most=3)
    assert lines == [
        "2 files, such as 0.jpg: reason 0",
        "2 files, such as 2.jpg: reason 1",
        "36 files for 18 further reasons; 2 files, such as 4.jpg: reason 2",
    ]
    assert len(grouped(skipped)) == 10 and len(grouped(skipped, most=20)) == 20
