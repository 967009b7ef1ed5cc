from .pack import MEMBERS as MEMBERS
from .task import PackTask as PackTask
from .task import TrialTask as TrialTask
from .task import mark_stopped as mark_stopped
from .task import remove_mark as remove_mark
from .tune_trainable import run_trial as run_trial
