from .findings import write_findings as write_findings
from .report import write_report as write_report
from .study_results import BestNetwork as BestNetwork
from .study_results import StudyResults as StudyResults
from .study_results import SurveyImages as SurveyImages
