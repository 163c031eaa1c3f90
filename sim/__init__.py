"""The simulated Sawyer and its room: a driver like any other, and the judge of the exam.

Importing this package chooses the GL library, because MuJoCo binds one when it is imported itself.
"""

from sim.gl import choose_backend

choose_backend()
