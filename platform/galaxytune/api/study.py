"""Studies as notebooks use them: trials, findings, figures, and the methods that go on."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galaxytune.api.model import Model, load_model
from galaxytune.cluster import ClusterAddress
from galaxytune.plan import StudyPlan
from galaxytune.study import (
    StudyFolder,
    change_plan,
    check_data_unchanged,
    data_at,
    leaderboard_of,
    outcome_lines,
    plan_kept_if_refused,
    store_moved_data,
    study_status,
    write_study_findings,
)
from search_spaces.declaration import InvalidInput, given_path
from trainables.files import writing_to_a_given_place

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure  # noqa: TID251  only its name

    from analysis.records import TrialRecord
    from galaxytune.driver import Confirmation
    from galaxytune.models import ModelFormat, NumPicks
    from galaxytune.study import StudyStatus
    from galaxytune.tracking import StudyObserver


def run_trials(
    folder: StudyFolder, where: ClusterAddress, observers: "Sequence[StudyObserver] | None"
) -> None:
    """Run all trials of a study that have not ended; return when the last trial has ended.

    where: the Ray cluster. observers: are told what happens; None for the default observers, a
    progress display in a notebook and none elsewhere. The errors are those of `run_study`:
    InvalidInput, StudyInterrupted and WorkFailed.
    """
    from galaxytune.cluster import load_ray

    load_ray()
    from galaxytune.driver import run_study
    from galaxytune.tracking import default_observers

    told = default_observers() if observers is None else observers
    run_study(folder, where, observers=told)


def cluster_of(cluster: ClusterAddress | None) -> ClusterAddress:
    """Return the cluster that a caller gave, and a local Ray of all CPUs and GPUs for None.

    InvalidInput is raised if the caller gave anything else, such as the address alone.
    """
    if cluster is None:
        return ClusterAddress()
    if isinstance(cluster, ClusterAddress):
        return cluster
    raise InvalidInput(f"cluster must be a ClusterAddress, such as ClusterAddress({cluster!r})")


def report_folders(
    folders: Sequence[StudyFolder],
    out_dir: str | Path,
    *,
    images: str | Path | None,
    data: str | Path | None,
    on_step: Callable[[str], None] | None,
) -> Path:
    """Write a report of the studies in some folders; return the path of the page, report.html.

    The arguments and the errors are those of `galaxytune.report`, with folders for the studies.
    """
    from galaxytune.models import report_studies

    given = None if images is None else given_path(images)
    with data_at(folders, data), writing_to_a_given_place():
        return report_studies(
            folders, given_path(out_dir), given, on_step=on_step or (lambda step: None)
        )


class Study:
    """A study: a plan, its trials, and what the trials have found.

    A notebook shows a study as its leaderboard. `search` and `open_study` return studies. Every
    method reads the study's folder anew, so that a study that another process runs can be watched.

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
            lowest validation RMSE comes first. The columns are ``rank`` (from 1, <NA> for a failed
            trial), ``study``, ``id``, ``architecture``, ``status``, ``published`` (True for the
            published config, with the values that the plan holds fixed), ``val_rmse``,
            ``best_epoch`` (0 without an epoch), ``epochs``, ``tree_residual``, ``pareto`` (True on
            the Pareto front of the complete trials), ``feasible`` (None without a limit or without
            an epoch), ``device_seconds`` (seconds of all epochs, times the trial's share of a GPU,
            or its CPUs if it had no GPU), ``reason`` (why the trial ended), and a column
            ``config.NAME`` for each field of a config. ``val_rmse`` and ``tree_residual`` are
            those of the best epoch, NaN without an epoch. If no trial has ended, there is no row
            and no ``config`` column.

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
            One or two lines. The first names the best trial and its validation RMSE. The second
            gives the gain over the best trial with a published config, or says that this trial is
            the best. The second is left out for a grid, and if no trial with a published config is
            complete.

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

    def resume(
        self,
        *,
        data: str | Path | None = None,
        cluster: ClusterAddress | None = None,
        observers: "Sequence[StudyObserver] | None" = None,
        **changes: Any,
    ) -> "Study":
        """Run the trials that have not ended; finished trials are kept.

        A trial goes on after its last whole epoch. If a budget ended the study, no trial runs
        unless a key of the plan is changed. Ctrl-C acts as in `search`.

        Args:
            data: The study's galaxy file, if it is no longer where the plan says. A file with
                other arrays is refused. The plan then names the new path.
            cluster: Where to run; see `search`.
            observers: Objects that are told what happens; see `search`.
            **changes: Keys of the plan to change first: ``trials``, ``cpus_per_trial``,
                ``gpus_per_trial``, ``max_hours``, ``max_device_hours``, ``target_rmse``,
                ``plateau_trials``, ``max_silence_minutes``, ``max_retries``,
                ``keep_checkpoints`` and ``checkpoint_quota_gb``. The study's folder stores the
                changed plan. ``trials`` is the new number of all trials, ended trials included;
                it must not be less than the number of trials that have ended, and cannot be
                changed for a grid.

        Returns:
            This study.

        Raises:
            InvalidInput: The data is missing or has changed, a change is wrong, a network is not
                available, another process runs the study, no cluster answers, no node can hold a
                trial, or the folder cannot be written. The plan is then as it was before.
            StudyInterrupted: Ctrl-C or SIGTERM stopped the study.
            WorkFailed: Trials are left for another reason, such as a full disk.

        Example:
            >>> import galaxytune
            >>> study = galaxytune.open_study("first").resume(trials=3)
            >>> len(study.records())
            3
        """
        from galaxytune.plan import check_networks

        self.folder.check_can_write()
        with data_at([self.folder], data), plan_kept_if_refused(self.folder):
            check_data_unchanged(self.folder)
            change_plan(self.folder, changes)
            store_moved_data(self.folder)
            check_networks(self.folder.plan)
            run_trials(self.folder, cluster_of(cluster), observers)
        return self

    def confirm(
        self,
        *,
        num_seeds: int = 5,
        num_best: int = 3,
        data: str | Path | None = None,
        cluster: ClusterAddress | None = None,
        observers: "Sequence[StudyObserver] | None" = None,
    ) -> "Confirmation":
        """Train the best configs again with fresh seeds, to see whether the winner was lucky.

        The trainings are a study of their own, ``NAME-confirm-NUM_SEEDS``, beside this study. If
        that study exists, it is continued.

        Args:
            num_seeds: Fresh seeds for each config, at least 1.
            num_best: How many of the best configs are trained again, at least 1. There are fewer
                if fewer trials are complete; trials that differ only in the seed count once.
            data: The study's galaxy file, if it is no longer where the plan says. A file with
                other arrays is refused. The study of the trainings
                reads this file.
            cluster: Where to run; see `search`.
            observers: Objects that are told what happens; see `search`.

        Returns:
            The result, with ``study``, the name of this study, ``verdict``, a sentence on whether
            the winner stays the best, and ``trials``, the configs with the best mean first. Each
            has ``id``, ``architecture``, ``searched_val_rmse``, ``mean_val_rmse``,
            ``interval_95``, ``val_rmse_by_seed`` and ``num_failed``.

        Raises:
            InvalidInput: A number is below 1, no trial is complete, the data has changed, the
                study of that name confirms other configs, or the trials cannot run; see `search`.
            StudyInterrupted: Ctrl-C or SIGTERM stopped the trainings; the same call goes on.
            WorkFailed: Trainings are left for another reason, such as a full disk.

        Example:
            >>> import galaxytune
            >>> study = galaxytune.open_study("first")
            >>> found = study.confirm(num_seeds=2, num_best=1)
            >>> len(found.trials[0].val_rmse_by_seed)
            2
        """
        from galaxytune.cluster import load_ray

        load_ray()
        from galaxytune.driver import confirm_study
        from galaxytune.tracking import default_observers

        told = default_observers() if observers is None else observers
        with data_at([self.folder], data):
            return confirm_study(
                self.folder,
                num_seeds=num_seeds,
                num_best=num_best,
                where=cluster_of(cluster),
                observers=told,
            )

    def report(
        self,
        out_dir: str | Path,
        *,
        images: str | Path | None = None,
        data: str | Path | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> Path:
        """Write every figure and one self-contained page about this study.

        Predictions for the test galaxies that are computed for the report are kept in the study's
        own report folder.

        Args:
            out_dir: Folder for ``report.html``, ``findings.txt``, tables and figures, which is
                made if it does not exist.
            images: The survey's JPEGs, of which up to three are shown; see `galaxytune.report`.
            data: The study's galaxy file, if it is no longer where the plan says. A file with
                other arrays is refused. The plan stays as it is.
            on_step: Is called with a text about each step; see `galaxytune.report`.

        Returns:
            The path of ``report.html``.

        Raises:
            InvalidInput: The folder cannot be written, no trial has ended, the data has changed,
                or `images` holds no image or a damaged image.
            WorkFailed: Memory does not hold a prediction.
            OSError: The disk refuses for another reason than permission, such as a full disk.

        Example:
            >>> import galaxytune
            >>> galaxytune.open_study("first").report("report").exists()
            True
        """
        return report_folders([self.folder], out_dir, images=images, data=data, on_step=on_step)

    def export(
        self,
        out_dir: str | Path,
        *,
        ensemble: "NumPicks | None" = None,
        refit: bool = False,
        formats: "ModelFormat | Collection[ModelFormat]" = "folder",
        data: str | Path | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> "Model":
        """Write the best config, or an ensemble, with weights, metrics and a model card.

        The best config is that of the best complete trial. The predictions and the metrics for the
        test galaxies are computed once and kept in the study's own report folder.

        Args:
            out_dir: Folder for the model, which is made if it does not exist. The files of an
                earlier export are replaced; its ``model.onnx`` and ``model.pt2`` are deleted.
            ensemble: None for the best trial alone. A number of picks, or ``"auto"`` for the best
                of at most 50, for an ensemble that predicts the mean of its picks. The members are
                picked one after the other, with replacement, by the RMSE of the mean on the
                validation galaxies, among the complete trials whose weights are kept, those of
                `confirm` included. ``metrics["ensemble"]`` says what the ensemble gains.
            refit: True to train the config, or each member, again on all galaxies with votes,
                those of validation and test included. A config with a cosine schedule is trained
                for all its epochs, any other for as many as its best epoch. The metrics are those
                of the model before the refit.
            formats: What is written besides the folder's own files: ``onnx`` adds ``model.onnx``
                and ``torch`` adds ``model.pt2``. Each of the two files maps images [B, 3, S, S]
                float32 in 0..1, where S is the side of the training images in pixels, to vote
                fractions [B, 37] without galaxytune; the model card shows how.
            data: The study's galaxy file, if it is no longer where the plan says. A file with
                other arrays is refused. The plan stays as it is.
            on_step: Is called with a sentence about the choice of an ensemble, and after each
                epoch of a refit.

        Returns:
            The exported model, loaded from the folder.

        Raises:
            InvalidInput: No trial is complete, the weights are gone, the data has changed, the
                ensemble or a format is wrong, or the folder cannot be written.
            WorkFailed: PyTorch cannot write the network in a format, memory does not hold a
                prediction, a refit diverges, or the written file would differ from the model by
                more than 1e-5 in a vote fraction. A larger difference passes only if the rounding
                of float32 explains it.
            OSError: The disk refuses for another reason than permission, such as a full disk.

        Example:
            >>> import galaxytune
            >>> model = galaxytune.open_study("first").export("best")
            >>> model.config.architecture
            'simple_cnn'
        """
        from galaxytune.models import export_study

        with data_at([self.folder], data), writing_to_a_given_place():
            out = given_path(out_dir)
            export_study(self.folder, out, ensemble, formats=formats, refit=refit, on_step=on_step)
        return load_model(out)

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
