"""Discrete networks as Pyro programs, and tables learned from data."""
