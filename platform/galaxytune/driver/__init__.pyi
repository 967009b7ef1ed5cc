from .ablation import ablate_study as ablate_study
from .confirmation import Confirmation as Confirmation
from .confirmation import confirm_study as confirm_study
from .run import run_study as run_study
