"""The part of a study that trains configs again: the best ones, and the path to the best one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from galaxytune.api.running import ablate_in, cluster_of
from galaxytune.api.study_figures import StudyFigures
from galaxytune.cluster import ClusterAddress
from galaxytune.study import data_at

if TYPE_CHECKING:
    import pandas as pd

    from galaxytune.driver import Confirmation
    from galaxytune.tracking import StudyObserver


class StudyRetraining(StudyFigures):
    """The trainings beside those of the search; each is a study of its own beside this study."""

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

    def ablate(
        self,
        *,
        seeds: int = 1,
        data: str | Path | None = None,
        cluster: ClusterAddress | None = None,
        observers: "Sequence[StudyObserver] | None" = None,
    ) -> "pd.DataFrame":
        """Train each config on the path from the published to the best config.

        The path begins at the published config of the best trial's architecture. Each step changes
        one field to its value in the best trial, or several fields that only mean something
        together. The step with the largest gain that a model of the study's trials predicts comes
        next (Biedenkapp et al. 2017). With fewer than 10 complete trials the steps are in the
        order in which the fields are declared.

        The trainings are a study of their own, ``NAME-ablate-TRIAL-SEEDS``, beside this study,
        where ``TRIAL`` is the best trial. If that study exists, it is continued. What was trained
        to its end is not trained again.

        Args:
            seeds: Number of seeds for each config, at least 1. The first is the best trial's.
            data: The study's galaxy file, if it is no longer where the plan says. A file with
                other arrays is refused. The study of the trainings reads this file.
            cluster: Where to run; see `search`.
            observers: Objects that are told what happens; see `search`.

        Returns:
            One row for each config of the path, the published config first. The columns are
            ``step`` (from 0), ``change`` (the fields with their old and new values),
            ``val_rmse`` (the mean over the seeds), ``low`` and ``high`` (Student's 95 % interval,
            NaN with one seed), ``gain_percent`` (fall of the RMSE in this step, in percent of the
            published RMSE), ``seeds`` (trainings that were completed) and ``failed`` (those that
            were not).

        Raises:
            InvalidInput: The number is below 1, no trial is complete, the best config is the
                published config, the data has changed, the study of that name trains other
                configs, or the trials cannot run; see `search`.
            StudyInterrupted: Ctrl-C or SIGTERM stopped the trainings; the same call goes on.
            WorkFailed: Trainings are left for another reason, such as a full disk.

        Example:
            >>> import galaxytune
            >>> plan = {
            ...     "name": "rates",
            ...     "architectures": ["simple_cnn"],
            ...     "data": "galaxies.npz",
            ...     "epochs": 1,
            ...     "grid": {"learning_rate": [0.002]},
            ...     "set": {"width": 0.1, "batch_size": 32},
            ...     "wandb": "disabled",
            ... }
            >>> galaxytune.search(plan).ablate()["change"].tolist()
            ['published config', 'learning_rate: 0.001 → 0.002']
        """
        found = ablate_in(self.folder, seeds, data=data, cluster=cluster, observers=observers)
        return found.to_frame()
