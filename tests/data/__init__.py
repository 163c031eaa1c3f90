"""Tests of the episode log, its folder and the replay."""
