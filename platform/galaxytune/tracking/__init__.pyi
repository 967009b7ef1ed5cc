from .dashboard import dashboard_server as dashboard_server
from .notebook import default_observers as default_observers
from .observer import StudyObserver as StudyObserver
from .progress import SearchProgress as SearchProgress
from .wandb_key import default_wandb_mode as default_wandb_mode
from .wandb_key import has_wandb_key as has_wandb_key
from .wandb_key import wandb_host as wandb_host
from .wandb_mirror import WandbMirror as WandbMirror
