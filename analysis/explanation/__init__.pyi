from .heat_maps import Explanation as Explanation
from .heat_maps import Method as Method
from .heat_maps import explain as explain
from .heat_maps import find_question as find_question
