"""Records of trials, statistics, explanations of predictions, figures and the report."""
