"""Tests of the `rig` command."""
