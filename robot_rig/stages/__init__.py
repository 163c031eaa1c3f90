"""The stages of a run: collect, train, practise, evaluate. Each reads and writes one run folder and can be resumed.

They know a `Plant`, not whether it is simulated; the command line hands them the plant and a progress callback.
"""
