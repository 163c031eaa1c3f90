"""What a rig must know of its camera and arm and nobody can tell it: pure solvers, each with its residuals.

Called by `rig calibrate` and, for the check at every start, by the camera node and `rig doctor`.
"""

# Before any module here imports OpenCV, whose limit on pictures it sets.
from robot_rig import vision as vision
