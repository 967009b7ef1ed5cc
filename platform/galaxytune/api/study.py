"""Studies as notebooks use them: trials, findings, figures, and the methods that go on."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galaxytune.api.model import Model, load_model
from galaxytune.api.running import cluster_of, report_folders, run_trials
from galaxytune.api.study_retraining import StudyRetraining
from galaxytune.cluster import ClusterAddress
from galaxytune.study import (
    change_plan,
    check_data_unchanged,
    data_at,
    plan_kept_if_refused,
    store_moved_data,
)
from search_spaces.declaration import given_path
from trainables.files import writing_to_a_given_place

if TYPE_CHECKING:
    from galaxytune.models import ModelFormat, NumPicks, RefitRows
    from galaxytune.tracking import StudyObserver


class Study(StudyRetraining):
    """A study: a plan, its trials, and what the trials have found.

    A notebook shows a study as its leaderboard. `search` and `open_study` return studies. Every
    method reads the study's folder anew, so that a study that another process runs can be watched.

    folder: the study's folder, with the path of each file.
    """

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
        refit_rows: "RefitRows" = "all",
        formats: "ModelFormat | Collection[ModelFormat]" = "folder",
        data: str | Path | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> "Model":
        """Write the best config, or an ensemble, with weights, metrics and a model card.

        The best config is that of the first trial of the leaderboard. The predictions and the
        metrics for the test galaxies are computed once and kept in the study's own report folder.

        Args:
            out_dir: Folder for the model, which is made if it does not exist. The files of an
                earlier export are replaced; its ``model.onnx`` and ``model.pt2`` are deleted.
            ensemble: None for the best trial alone. A number of picks, or ``"auto"`` for the best
                of at most 50, for an ensemble that predicts the mean of its picks. The members are
                picked one after the other, with replacement, by the RMSE of the mean on the
                validation galaxies, among the complete trials whose weights are kept, those of
                `confirm` included. ``metrics["ensemble"]`` says what the ensemble gains.
            refit: True to train the config, or each member, again on more galaxies. A config with
                a cosine schedule is trained for all its epochs, any other for as many as its best
                epoch.
            refit_rows: ``"all"`` trains on all galaxies with votes, those of validation and test
                included; the metrics are then those of the model before the refit. ``"not_test"``
                trains on the galaxies of training and validation; ``metrics["test"]`` is then that
                of the refitted model, and the other metrics are those of the model before.
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
                ensemble, the refit rows or a format is wrong, or the folder cannot be written.
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
        from galaxytune.models import checked_refit, export_study

        rows = checked_refit(refit, refit_rows)
        with data_at([self.folder], data), writing_to_a_given_place():
            out = given_path(out_dir)
            export_study(self.folder, out, ensemble, formats=formats, refit=rows, on_step=on_step)
        return load_model(out)
