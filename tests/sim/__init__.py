"""Tests of the simulated Sawyer and its room."""
