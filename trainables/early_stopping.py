"""When a training run is over, told from its reports alone."""

from collections.abc import Mapping, Sequence

from search_spaces.declaration.training_protocol import TrainingProtocol

Reports = Sequence[Mapping[str, float]]


def best_epoch(reports: Reports, metric: str) -> int:
    """The epoch, from 1, whose metric is lowest, the first of equals; 0 of none."""
    monitored = [report[metric] for report in reports]
    return monitored.index(min(monitored)) + 1 if monitored else 0


def why_finished(config: TrainingProtocol, reports: Reports) -> str | None:
    """Why training is over after these epochs, or None while it goes on."""
    if len(reports) >= config.epochs:
        return "all epochs trained"
    patience = config.early_stopping_patience
    if patience and len(reports) - best_epoch(reports, config.early_stopping_metric) >= patience:
        return f"no better epoch in {patience}"
    return None
