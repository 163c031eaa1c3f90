"""Files between a robot and a trainer on another machine: rsync over ssh in a thread of its own, nothing else.

The learner sees local folders and never knows. Called by `cli.carriage`.
"""
