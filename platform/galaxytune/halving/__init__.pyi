from .grace_period import COMPARED_WITH as COMPARED_WITH
from .grace_period import MOST_MEASURED as MOST_MEASURED
from .grace_period import choose_grace as choose_grace
from .grace_period import first_grace as first_grace
from .grace_period import values_at_rungs as values_at_rungs
from .rungs import Rungs as Rungs
from .rungs import num_hopeful as num_hopeful
from .rungs import rung_epochs as rung_epochs
