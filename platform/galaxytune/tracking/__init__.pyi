from .dashboard import dashboard_server as dashboard_server
from .notebook import default_observers as default_observers
from .observer import StudyObserver as StudyObserver
from .progress import SearchProgress as SearchProgress
from .wandb_mirror import WandbMirror as WandbMirror
from .wandb_words import ask_wandb as ask_wandb
from .wandb_words import check_wandb as check_wandb
from .wandb_words import default_wandb_mode as default_wandb_mode
