from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import run_doctor as run_doctor
from .health_check import Check as Check
