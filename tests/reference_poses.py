"""Reference values for the Sawyer's published URDF table (RethinkRobotics/sawyer_robot d1ef3d0), frame `base`.

They were computed from the URDF by other programs than ours and agree between those to 1e-8; printed to 1e-6 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_rig.datatypes import Floats

TIP_OFFSET_M = 0.13562


@dataclass(frozen=True)
class ReferencePose:
    """joints (7,) rad; hand and tip (3,) m; quaternion xyzw of right_hand."""

    joints: tuple[float, ...]
    hand: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]
    tip: tuple[float, float, float]


REFERENCE_POSES = {
    "zeros": ReferencePose(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        (1.015500, 0.160300, 0.317000),
        (-0.54168, 0.45452, -0.54167, 0.45452),
        (1.151120, 0.160300, 0.316999),
    ),
    "neutral": ReferencePose(
        (0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161),
        (0.449598, 0.160300, 0.215754),
        (0.70710, 0.70711, 0.00028, 0.00028),
        (0.449705, 0.160300, 0.080134),
    ),
    "shipping": ReferencePose(
        (0.0, -1.57, 0.0, 2.79, 0.0, -2.79, 3.3161),
        (0.218884, 0.160300, 0.475860),
        (0.00028, 0.00028, 0.70710, 0.70711),
        (0.218993, 0.160300, 0.611480),
    ),
    "vendor simulator": ReferencePose(
        (-0.27, 1.05, 0.0, 0.49, -0.08, -0.06, 0.027),
        (0.325802, 0.076374, -0.564062),
        (-0.69125, 0.72119, -0.03769, 0.02521),
        (0.337801, 0.073727, -0.699124),
    ),
    "predecessor reset": ReferencePose(
        (0.1526, 0.9144, -2.0259, 1.6648, -2.4172, 1.1500, -2.4770),
        (0.709076, 0.048575, 0.347124),
        (-0.72420, 0.03143, -0.68838, 0.02622),
        (0.844518, 0.047858, 0.340222),
    ),
    "vendor example": ReferencePose(
        (0.763331, 0.415979, -1.728629, 1.482985, -1.135621, -1.674347, -0.496337),
        (0.450636, 0.161618, 0.215599),
        (0.70402, 0.71017, 0.00244, 0.00195),
        (0.451477, 0.161716, 0.079982),
    ),
}

NEUTRAL_JACOBIAN = (
    (-0.160300, -0.101246, 0.029772, -0.471088, 0.114692, -0.134500, 0.0),
    (0.449598, 0.0, 0.379375, 0.0, 0.072581, 0.0, 0.0),
    (0.0, -0.368598, -0.012266, -0.216228, 0.073643, -0.000107, 0.0),
    (0.0, 0.0, 0.380925, 0.0, 0.540302, 0.0, 0.000789),
    (0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0),
    (1.0, 0.0, 0.924606, 0.0, -0.841471, 0.0, -1.0),
)
"""Rows vx vy vz wx wy wz of right_hand, columns right_j0 .. right_j6, at neutral."""


def rotation_from_xyzw(quaternion: tuple[float, float, float, float]) -> Floats:
    """(3, 3) rotation of a quaternion xyzw."""
    x, y, z, w = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
