"""Rigid motions as (4, 4) matrices: what the solvers share. `b_from_a` takes a point from frame a to frame b."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from robot_rig.datatypes import Floats


def rigid(rotation: Floats, translation: Floats) -> Floats:
    """(4, 4) of a `rotation`, (3, 3) or as a rotation vector of 3, and a `translation` of 3 m."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation if np.shape(rotation) == (3, 3) else cv2.Rodrigues(np.asarray(rotation, np.float64))[0]
    matrix[:3, 3] = np.ravel(translation)
    return matrix


def inverse(motion: Floats) -> Floats:
    """The motion back."""
    return rigid(motion[:3, :3].T, -motion[:3, :3].T @ motion[:3, 3])


def rotation_vector(rotation: Floats) -> Floats:
    """(3,) rad of a rotation (3, 3): its axis times its angle."""
    return np.asarray(cv2.Rodrigues(np.ascontiguousarray(rotation))[0], np.float64).ravel()


def angle_between(a: Floats, b: Floats) -> float:
    """rad between the rotations of two motions (4, 4) or rotations (3, 3)."""
    return float(np.linalg.norm(rotation_vector(a[:3, :3].T @ b[:3, :3])))


def distance_between(a: Floats, b: Floats) -> float:
    """m between the origins of two motions (4, 4)."""
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3]))


def middle(motions: Sequence[Floats]) -> Floats:
    """(4, 4) in the middle of `motions`: the mean rotation (least squares), and for each coordinate the median."""
    u, _, vt = np.linalg.svd(np.sum([motion[:3, :3] for motion in motions], axis=0))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return rigid(rotation, np.median([motion[:3, 3] for motion in motions], axis=0))
