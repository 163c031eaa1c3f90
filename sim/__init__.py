"""The simulated Sawyer and its room: a driver like any other, and the judge of the exam.

Importing this package chooses the GL library, because MuJoCo binds one when it is imported itself: here.
"""

from sim.gl import bind_backend, choose_backend

choose_backend()
bind_backend()
