"""Runs: the queue, the worker process, and the child process in which one task is done within limits."""
