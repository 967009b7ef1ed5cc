"""The base class of the results that a command prints with `--json`."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class JsonDocument(BaseModel):
    """A base class of frozen results.

    The docstring of each field is the field's description in `model_json_schema()`.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    def as_values(self) -> dict[str, Any]:
        """Return the fields by name as values that `json.dumps` takes.

        The values are nested dicts, lists, texts, numbers, booleans and None. Tuples become lists.
        """
        return self.model_dump(mode="json")
