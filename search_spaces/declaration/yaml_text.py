"""YAML that a person writes: plan files, configs, and values on the command line."""

import re
from pathlib import Path
from typing import Any

import yaml

from search_spaces.declaration.errors import InvalidInput
from search_spaces.declaration.regular_files import check_regular

# The errors of PyYAML for text that it cannot read: ValueError for a date such as 2026-13-01, and
# others for a value that does not fit its tag, such as `!!bool x`.
_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    OverflowError,
    RecursionError,
)


_OCTAL = re.compile(r"[+-]?0[0-7_]+")  # YAML 1.1 counts such a number by eights


class _OddNumber(yaml.MarkedYAMLError):
    """An error: a number is written in a way that stands for another number in YAML 1.1.

    line: the number of the line, from 1.
    """

    def __init__(self, text: str, line: int) -> None:
        """Describe the number `text`, which stands in a line of the YAML text."""
        remedy = "write it without a colon" if ":" in text else "write it without the leading 0"
        super().__init__(problem=f"{text} stands for another number in YAML; {remedy}")
        self.line = line


class _KeyTwice(yaml.MarkedYAMLError):
    """An error: a key stands twice in a mapping."""


class _Loader(yaml.SafeLoader):
    """A loader of plain YAML values that refuses what PyYAML would change without a word.

    PyYAML keeps the last value of a key that stands twice and drops the others. It also reads
    numbers by the rules of YAML 1.1, by which 1:30 is 90 and 010 is 8.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return the node of a mapping; _KeyTwice if a key stands in it twice.

        anchor: the name of the node's anchor, or None. Keys that `<<` merges into the mapping may
        stand in the mapping, too.
        """
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if (first := lines.get((key.tag, key.value))) is not None:
                where = f"lines {first} and {line}" if line != first else f"line {line}"
                raise _KeyTwice(problem=f"{key.value!r} stands twice, in {where}")
            lines[key.tag, key.value] = line
        return node


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """Return the number of a YAML scalar; _OddNumber if only YAML 1.1 knows such a number."""
    text = str(loader.construct_scalar(node))
    if ":" in text or _OCTAL.fullmatch(text):
        raise _OddNumber(text, node.start_mark.line + 1)
    if node.tag == _INT:
        return int(loader.construct_yaml_int(node))
    return float(loader.construct_yaml_float(node))


_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
for _tag in (_INT, _FLOAT):
    _Loader.add_constructor(_tag, _number)


def _load(text: str | bytes) -> Any:
    """Return the value of a YAML text; the errors of `_UNREADABLE` are raised for a wrong text.

    text: bytes are read as UTF-8, or as UTF-16 if they begin with the byte order mark of UTF-16.
    """
    return yaml.load(text, _Loader)  # a subclass of SafeLoader


def yaml_value(text: str) -> Any:
    """Return the Python value that a YAML text describes, such as 0.1 for "0.1".

    The rules are those of YAML 1.1: "yes" gives True, an empty text gives None, and "1e-3", which
    has no point, gives a str. A text that is not YAML, or in which a key stands twice, raises
    InvalidInput.
    """
    try:
        return _load(text)
    except _UNREADABLE as error:
        raise InvalidInput(f"{text!r} is not a value ({' '.join(str(error).split())})") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    The file's text is UTF-8, or UTF-16 with a byte order mark. A file that is missing, unreadable,
    no regular file, not YAML, or not a mapping, or in which a key stands twice at any depth,
    raises InvalidInput with one line. The keys are not checked; a key that is not a text is
    returned as YAML reads the key.
    """
    check_regular(path)
    try:
        values = _load(path.read_bytes())
    except FileNotFoundError:
        raise InvalidInput(f"no file {path}") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    except _KeyTwice as error:
        raise InvalidInput(f"{path}: {error}") from None
    except _OddNumber as error:
        raise InvalidInput(f"{path}: line {error.line}: {error}") from None
    except _UNREADABLE as error:
        raise InvalidInput(f"{path} is not YAML: {_reason(error)}") from None
    if not isinstance(values, dict):
        what = "nothing" if values is None else type(values).__name__
        raise InvalidInput(f"{path} must hold keys and values, it holds {what}")
    return values


def _reason(error: Exception) -> str:
    """Return why PyYAML could not read a file, on one line, with the line's number if known."""
    if isinstance(error, yaml.reader.ReaderError):
        if error.encoding != "unicode":  # the name of the encoding that the bytes do not follow
            return "its text is not UTF-8; save the file as UTF-8"
        return f"it holds the control character {int(error.character):#04x}"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    if "'\\t'" in problem:
        problem = "a tab stands where only spaces may stand"
    elif "end" in problem and "stream" in problem:
        problem = "the file ends too early"
    context = getattr(error, "context", None)
    where = f" {context}:" if context else ""
    return f"line {mark.line + 1}:{where} {problem}"
