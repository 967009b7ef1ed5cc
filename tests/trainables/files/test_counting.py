"""Numbers of things in messages."""

from trainables.files import counted


def test_one_thing_is_singular_and_all_other_numbers_are_plural() -> None:
    assert [counted(n, "image") for n in (0, 1, 1234)] == ["0 images", "1 image", "1,234 images"]
    assert counted(1, "galaxy", "galaxies") == "1 galaxy"
    assert counted(2, "galaxy", "galaxies") == "2 galaxies"
