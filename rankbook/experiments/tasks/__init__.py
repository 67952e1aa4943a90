"""What studies train and measure, one file a task."""
