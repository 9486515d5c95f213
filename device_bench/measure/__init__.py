"""What a run measures, and how: jobs, samples, intervals, the machine."""
