"""Mutation testing of the guard: break `robot_rig/safety` in one place after another and see that a test notices.

`make mutants` runs `python -m benchmarks.mutants`. cosmic-ray (an optional extra) makes the mutants; each is judged by
tests/safety in a forked child that imports the mutated text, so nothing on disk is touched.
"""
