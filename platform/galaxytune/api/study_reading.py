"""The part of a study that reads: its plan, its state, its trials and what they have found."""

from pathlib import Path
from typing import TYPE_CHECKING

from galaxytune.plan import StudyPlan
from galaxytune.study import (
    StudyFolder,
    leaderboard_of,
    outcome_lines,
    study_status,
    write_study_findings,
)
from search_spaces.declaration import InvalidInput
from trainables.files import writing_to_a_given_place

if TYPE_CHECKING:
    import pandas as pd

    from analysis.records import TrialRecord
    from galaxytune.study import StudyStatus


class StudyReading:
    """The state, the trials and the findings of a study, read anew from its folder by each method.

    folder: the study's folder, with the path of each file.
    """

    def __init__(self, folder: StudyFolder) -> None:
        """Take the study's folder; callers use `open_study`, which finds the folder by name.

        Anything but a StudyFolder raises InvalidInput.
        """
        if not isinstance(folder, StudyFolder):
            kind = type(folder).__name__
            raise InvalidInput(f"a Study is opened by open_study(NAME), not from a {kind}")
        self.folder = folder

    def __repr__(self) -> str:
        """Return name, state and number of ended trials; InvalidInput as in `status`."""
        status = self.status()
        ended = sum(status.counts[name] for name in ("complete", "pruned", "failed"))
        return f"<Study {self.name!r}: {status.state}, {ended} of {self.plan.trials} trials ended>"

    def _repr_html_(self) -> str:
        """Return the state and the best 20 trials as HTML; InvalidInput as in `status`."""
        from galaxytune.study import study_html

        return study_html(self.folder)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """The absolute path of the study's folder, which holds everything about the study."""
        return self.folder.path

    @property
    def plan(self) -> StudyPlan:
        """The plan of the study, with the changes of `resume` and the study's provenance.

        The paths of the data and of weight files are absolute. InvalidInput is raised if the
        stored plan is damaged.
        """
        return self.folder.plan

    def status(self) -> "StudyStatus":
        """Return whether the study runs or has ended, and how many trials have which status.

        Returns:
            The status. ``study`` is the name. ``state`` is ``running``, ``finished`` or
            ``interrupted``. ``counts`` has the number of trials by status: ``complete``,
            ``pruned``, ``failed``, ``running``, ``interrupted``, ``paused`` and ``waiting``.
            ``ended`` is the budget that ended the study before its last trial, in words, or None.

        Raises:
            InvalidInput: A file in the study's folder is damaged, or cannot be read.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").status().state
            'finished'
        """
        return study_status(self.folder)

    def records(self) -> "list[TrialRecord]":
        """Return the records of all trials that have ended, in the order in which they ended.

        Returns:
            The records; each holds the trial's config, status and metrics. [] if no trial has
            ended.

        Raises:
            InvalidInput: The file of the records is damaged.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").records()[0].status
            'complete'
        """
        return self.folder.records()

    def leaderboard(self) -> "pd.DataFrame":
        """Return the trials that have ended as a DataFrame, best trial first.

        Returns:
            One row for each trial: complete trials first, then pruned trials, then failed trials.
            Of each kind, trials that break the limit on the tree residual come last, and else the
            lowest validation RMSE comes first. If the best configs were trained with further
            seeds, the best trial of the config with the lowest mean stands first. The columns are
            ``rank`` (from 1, <NA> for a failed trial), ``study``, ``id``, ``architecture``,
            ``status``, ``published`` (True for the published config, with the values that the plan
            holds fixed), ``val_rmse``, ``best_epoch`` (0 without an epoch), ``epochs``,
            ``tree_residual``, ``pareto`` (True on the Pareto front of the complete trials),
            ``feasible`` (None without a limit or without an epoch), ``device_seconds`` (seconds of
            all epochs, times the trial's share of a GPU, or its CPUs if it had no GPU), ``reason``
            (why the trial ended), ``num_seeds`` and ``mean_val_rmse`` (number and mean validation
            RMSE of the complete trials of the study that have the config of the trial with any
            seed), and a column ``config.NAME`` for each field of a config. ``val_rmse`` and
            ``tree_residual`` are those of the best epoch, NaN without an epoch. If no trial has
            ended, there is no row and no ``config`` column.

        Raises:
            InvalidInput: The file of the records is damaged.

        Example:
            >>> import galaxytune
            >>> board = galaxytune.open_study("first").leaderboard()
            >>> board["rank"].tolist()
            [1, 2]
        """
        return leaderboard_of([self.folder]).to_frame()

    def curves(self) -> "pd.DataFrame":
        """Return every reported epoch of every trial, also of running trials, as a DataFrame.

        Returns:
            One row for each epoch, with the trial's id in the column ``id`` and the numbers of the
            epoch in the columns ``epoch`` (from 1), ``train_loss``, ``train_rmse``, ``val_loss``,
            ``val_rmse``, ``val_tree_residual``, ``val_rmse_q1`` to ``val_rmse_q11``,
            ``learning_rate``, ``seconds`` and ``micro_batch``. The rows are sorted by id and
            epoch. Without an epoch there is no row, and the columns are ``id``, ``epoch`` and
            ``val_rmse``.

        Raises:
            InvalidInput: The file of a curve is damaged.

        Example:
            >>> import galaxytune
            >>> len(galaxytune.open_study("first").curves())
            2
        """
        import pandas as pd

        rows = [
            {"id": trial_id, **epoch.as_values()}
            for trial_id, curve in self.folder.curves().items()
            for epoch in curve
        ]
        return pd.DataFrame(rows, columns=None if rows else ["id", "epoch", "val_rmse"])

    def outcome(self) -> list[str]:
        """Return the best trial, and what the search gained, as lines of text.

        Returns:
            One to three lines. The first names the best trial and its validation RMSE. If the best
            configs were trained with further seeds, the next line says how sure the best config
            is. The last line gives the gain over the best trial with a published config, or says
            that this trial is the best. The last line is left out for a grid, and if no trial with
            a published config is complete.

        Raises:
            WorkFailed: No trial is complete.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").outcome()[0].partition(":")[0]
            'best'
        """
        return outcome_lines(self.folder)

    def findings(self) -> list[str]:
        """Write figures, tables and sentences on the effect of the constraint coefficients.

        All files go to the study's own report folder; ``findings.txt`` holds the sentences.

        Returns:
            The sentences of ``findings.txt``. The list is empty, and nothing is written, unless
            the finished trials allow a finding: the trials of at least one architecture must
            differ only in constraint coefficients, tree and seed, and must have several
            coefficients to compare.

        Raises:
            InvalidInput: The report folder cannot be written, for example without permission.
            OSError: The disk refuses for another reason, such as a full disk.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").findings()
            []
        """
        with writing_to_a_given_place():
            return write_study_findings(self.folder)
