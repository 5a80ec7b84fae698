"""Answers about plans: several futures at once, frontiers, what a plan is sensitive to and why it is as it is."""
