"""Reading a W&B run file back: LevelDB's log format around W&B's own protocol buffers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

_BLOCK = 32768
_HEADER = 7  # of the file, and of each fragment: checksum 4, length 2, type 1
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def _payloads(data: bytes) -> Iterator[bytes]:
    position, parts = _HEADER, b""
    while position + _HEADER <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEADER:
            position += left
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        kind = data[position + 6]
        position += _HEADER
        parts += data[position : position + length]
        position += length
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def read_run(path: Path) -> dict[str, Any]:
    """{"id", "group", "tags", "config", "history": {step: {...}}, "summary", "exit_code"}."""
    found: dict[str, Any] = {"config": {}, "history": {}, "summary": {}, "exit_code": None}
    for payload in _payloads(path.read_bytes()):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(payload)
        match record.WhichOneof("record_type"):
            case "run":
                run = record.run
                found |= {"id": run.run_id, "group": run.run_group, "tags": list(run.tags)}
                found["config"] |= _items(run.config.update)
            case "history":
                found["history"][record.history.step.num] = _items(record.history.item)
            case "summary":
                found["summary"] |= _items(record.summary.update)
            case "exit":
                found["exit_code"] = record.exit.exit_code
    return found
