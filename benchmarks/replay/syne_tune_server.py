"""A scheduler of Syne Tune 0.13, asked over standard input, answering on standard output.

Runs in an environment of its own, because MOBSTER and HyperTune were last shipped with a version
that needs an older numpy; imports nothing but Syne Tune. Each line in is one JSON object with
`do`, each line out its answer. `space` gives each name the arguments of an Optuna distribution.
"""

import json
import logging
import sys
from datetime import datetime

ANSWERS, sys.stdout = sys.stdout, sys.stderr  # Syne Tune prints advice while it is imported

from syne_tune.backend.trial_status import Trial  # noqa: E402
from syne_tune.config_space import choice, loguniform, randint, uniform  # noqa: E402
from syne_tune.optimizer.baselines import ASHA, MOBSTER, HyperTune  # noqa: E402

# The models' own parameters are fitted anew at every fifth proposal only
QUICKER = {"debug_log": False, "opt_skip_init_length": 20, "opt_skip_period": 5}
METRIC, EPOCH, LONGEST = "val_rmse", "epoch", "epochs"


def domain(arguments):
    """An Optuna distribution's arguments as Syne Tune's domain."""
    if "choices" in arguments:
        return choice(arguments["choices"])
    low, high = arguments["low"], arguments["high"]
    if isinstance(low, int):
        return randint(low, high)
    return loguniform(low, high) if arguments["log"] else uniform(low, high)


class Server:
    """One search."""

    def __init__(self, method, space, num_epochs, seed):
        """Make the scheduler `method`, of the kind that pauses trials and resumes them."""
        makers = {"ASHA": ASHA, "MOBSTER": MOBSTER, "HyperTune": HyperTune}
        own = {"brackets": 4} if method == "HyperTune" else {}
        self.scheduler = makers[method](
            {**{name: domain(a) for name, a in space.items()}, LONGEST: num_epochs},
            metric=METRIC,
            mode="min",
            resource_attr=EPOCH,
            max_resource_attr=LONGEST,
            type="promotion",
            random_seed=seed,
            search_options=QUICKER,
            **own,
        )
        self.num_epochs = num_epochs
        self.trials = {}

    def suggest(self):
        """A new trial, or one that was paused."""
        suggestion = self.scheduler.suggest(trial_id=len(self.trials))
        if suggestion.spawn_new_trial_id:
            number = len(self.trials)
            trial = Trial(number, suggestion.config, datetime.now())
            self.trials[number] = trial
            self.scheduler.on_trial_add(trial=trial)
            config = {k: v for k, v in suggestion.config.items() if k != LONGEST}
            return {"trial": number, "config": config}
        number = suggestion.checkpoint_trial_id
        if suggestion.config is not None:
            self.trials[number] = Trial(number, suggestion.config, datetime.now())
        return {"trial": number}

    def report(self, trial, epoch, rmse):
        """Whether the trial goes on."""
        trial = self.trials[trial]
        result = {METRIC: rmse, EPOCH: epoch}
        decision = self.scheduler.on_trial_result(trial=trial, result=result)
        if decision != "CONTINUE":
            self.scheduler.on_trial_remove(trial=trial)
        elif epoch == self.num_epochs:
            self.scheduler.on_trial_complete(trial, result)
        return {"goes_on": decision == "CONTINUE"}

    def fail(self, trial):
        """A trial that raised."""
        self.scheduler.on_trial_error(self.trials[trial])
        return {}


def main():
    """Answer until standard input ends."""
    logging.disable(logging.WARNING)
    server = None
    for line in sys.stdin:
        asked = json.loads(line)
        do = asked.pop("do")
        if do == "start":
            server, answer = Server(**asked), {}
        else:
            answer = getattr(server, do)(**asked)
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
