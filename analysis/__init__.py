"""What results mean: records of trials, leaderboards, intervals, figures."""
