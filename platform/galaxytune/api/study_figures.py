"""The part of a study that draws figures of its trials."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from galaxytune.api.study_reading import StudyReading
from search_spaces.declaration import InvalidInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251  only its name

    from analysis.records import TrialRecord


class StudyFigures(StudyReading):
    """The figures of a study: each method draws the trials as they are now."""

    def leaderboard_figure(self) -> "Figure":
        """Draw the validation RMSE of the best 40 trials that have ended.

        Trials without an RMSE are left out.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: No ended trial has reported an epoch.

        Example:
            >>> import galaxytune
            >>> type(galaxytune.open_study("first").leaderboard_figure()).__name__
            'GalaxyFigure'
        """
        from analysis.figures import leaderboard_figure

        return leaderboard_figure(self.name, self.records())

    def learning_curves_figure(self) -> "Figure":
        """Draw the validation RMSE by epoch, one line per ended trial, one panel per architecture.

        Trials that have not ended, or that have reported no epoch, are left out.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: No ended trial has reported an epoch.

        Example:
            >>> import galaxytune
            >>> len(galaxytune.open_study("first").learning_curves_figure().axes)
            1
        """
        from analysis.figures import learning_curves_figure

        return learning_curves_figure(self.records(), self.folder.curves())

    def pareto_figure(self) -> "Figure":
        """Draw the complete trials by validation RMSE and tree residual, with the Pareto front.

        The plan's ``max_tree_residual`` is drawn too, if the plan has this limit.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: No trial is complete.

        Example:
            >>> import galaxytune
            >>> len(galaxytune.open_study("first").pareto_figure().axes)
            1
        """
        from analysis.figures import pareto_figure

        limit = self.plan.max_tree_residual
        return pareto_figure(self.records(), max_tree_residual=limit)

    def importance_figure(self, architecture: str | None = None) -> "Figure":
        """Draw which hyperparameters of an architecture decide the RMSE, at most 16 of them.

        Args:
            architecture: Name of the architecture; by default that of the best complete trial.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: The architecture is unknown, it has fewer than 20 complete trials, or its
                complete trials are too alike: no hyperparameter has two values, or the RMSEs
                beyond the best quarter are equal.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").importance_figure()
            Traceback (most recent call last):
            ...
            search_spaces.declaration.errors.InvalidInput: the trials of simple_cnn in study ...
        """
        from analysis.figures import importance_figure

        return self._of_architecture(importance_figure, architecture)

    def slices_figure(self, architecture: str | None = None) -> "Figure":
        """Draw the validation RMSE by each searched hyperparameter of an architecture.

        There is a panel for each hyperparameter with at least two values, at most 16 panels.
        Complete and pruned trials are drawn.

        Args:
            architecture: Name of the architecture; by default that of the best complete trial.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: The architecture is unknown, no hyperparameter has two values among its
                complete and pruned trials, or no architecture is given and no trial is complete.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").slices_figure().axes != []
            True
        """
        from analysis.figures import slices_figure

        return self._of_architecture(slices_figure, architecture)

    def parallel_coordinates_figure(self, architecture: str | None = None) -> "Figure":
        """Draw the complete trials of an architecture as lines through their hyperparameters.

        There is an axis for each hyperparameter with at least two values, at most 13, and an axis
        for the RMSE.

        Args:
            architecture: Name of the architecture; by default that of the best complete trial.

        Returns:
            A matplotlib Figure.

        Raises:
            InvalidInput: The architecture is unknown, or no hyperparameter has two values among
                its complete trials.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").parallel_coordinates_figure().axes != []
            True
        """
        from analysis.figures import parallel_coordinates_figure

        return self._of_architecture(parallel_coordinates_figure, architecture)

    def _of_architecture(
        self,
        draw: "Callable[[Sequence[TrialRecord], str], Figure | None]",
        architecture: str | None,
    ) -> "Figure":
        """Return the figure that `draw` makes of this study's records for an architecture.

        draw: takes the records and the name of an architecture, and returns a figure, or None if
        the trials allow no figure. architecture: the name; None for the architecture of the best
        complete trial. InvalidInput is raised if the name is unknown, if `draw` returns None, or
        if the name is None and no trial is complete.
        """
        from analysis.records import best_trial

        records = self.records()
        name = best_trial(records).architecture if architecture is None else architecture
        figure = draw(records, name)
        if figure is None:
            raise InvalidInput(
                f"the trials of {name} in study {self.name!r} are too few, or too alike, for this "
                "figure"
            )
        return figure
