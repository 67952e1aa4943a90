"""Train an embedding on a data set of yours, in one process or in several: a command."""
