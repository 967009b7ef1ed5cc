from .calibration import Calibration as Calibration
from .calibration import calibration_of as calibration_of
from .calibration import question_calibrations as question_calibrations
from .coefficient_effects import CoefficientEffect as CoefficientEffect
from .coefficient_effects import effects_of_coefficients as effects_of_coefficients
from .coefficient_effects import effects_sentence as effects_sentence
from .coefficient_effects import logarithms as logarithms
from .coefficient_effects import per_question_trials as per_question_trials
from .comparison import PairedDifference as PairedDifference
from .comparison import best_by_architecture as best_by_architecture
from .comparison import paired_differences as paired_differences
from .comparison import ranking_sentences as ranking_sentences
from .comparison import seeds_of as seeds_of
from .constraint_claims import supported_sentences as supported_sentences
from .constraint_study import TREE_NAMES as TREE_NAMES
from .constraint_study import Change as Change
from .constraint_study import CoefficientResult as CoefficientResult
from .constraint_study import coefficient_results as coefficient_results
from .constraint_study import constraint_trials as constraint_trials
from .constraint_study import save_tables as save_tables
from .constraint_study import trial_table as trial_table
from .ensemble_selection import select_ensemble as select_ensemble
from .galaxy_file_check import check_galaxy_file as check_galaxy_file
from .hyperparameter_importance import SearchedField as SearchedField
from .hyperparameter_importance import complete_trials as complete_trials
from .hyperparameter_importance import (
    importance_of_hyperparameters as importance_of_hyperparameters,
)
from .hyperparameter_importance import searched_fields as searched_fields
from .intervals import mean_interval as mean_interval
from .intervals import resampled_rmses as resampled_rmses
from .intervals import rmse_difference_interval as rmse_difference_interval
from .intervals import rmse_interval as rmse_interval
from .reference_values import ASSUMED_VOTES as ASSUMED_VOTES
from .reference_values import PUBLISHED as PUBLISHED
from .reference_values import noise_floor as noise_floor
