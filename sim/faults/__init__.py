"""Faults on purpose: who causes them, who writes down what really happened, and who judges. Called by `rig faults`."""
