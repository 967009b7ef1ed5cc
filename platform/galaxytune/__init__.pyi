from . import errors as errors
from .api import Model as Model
from .api import Study as Study
from .api import load_model as load_model
from .api import make_config as make_config
from .api import open_study as open_study
from .api import rank as rank
from .api import report as report
from .api import search as search
from .api import simulate as simulate
from .api import train as train
from .api import write_submission as write_submission
from .cluster import ClusterAddress as ClusterAddress
from .errors import InvalidInput as InvalidInput
from .errors import StudyInterrupted as StudyInterrupted
from .errors import WorkFailed as WorkFailed
from .plan import StudyPlan as StudyPlan
from .tracking import StudyObserver as StudyObserver

__version__: str
__all__: list[str]
