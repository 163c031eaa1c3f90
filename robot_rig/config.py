"""The one configuration schema: every key with its unit and range. Nothing else decides behaviour.

Loaded by the command line and the nodes through `robot_rig.config_files`; the loops get values, never this tree. Ranges
here may be tightened by YAML; the hard ceilings of motion live in `robot_rig.safety.limits`, beside the checks.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from robot_rig.config_learning import AgentConfig, VaeConfig
from robot_rig.config_section import Section

Coordinate = Annotated[float, Field(ge=-5, le=5)]
Angle = Annotated[float, Field(ge=-6.3, le=6.3)]
Point = tuple[Coordinate, Coordinate, Coordinate]
LEAST_LOOK_M = 0.01
"""A camera nearer than this to what it looks at looks nowhere."""

JointAngles = tuple[Angle, Angle, Angle, Angle, Angle, Angle, Angle]


class CameraConfig(Section):
    """The colour camera and the square window the policy looks through."""

    width_px: int = Field(640, ge=84, le=4096, description="width of the raw picture, px")
    height_px: int = Field(480, ge=84, le=4096, description="height of the raw picture, px")
    focal_px: float = Field(612.0, gt=0, le=20_000, description="focal length, px (D435 colour: 606-615)")
    center_u_px: float = Field(320.0, ge=0, le=4096, description="principal point, px from the left edge")
    center_v_px: float = Field(240.0, ge=0, le=4096, description="principal point, px from the upper edge")
    crop_px: int = Field(420, ge=84, le=4096, description="side of the square window, px; 420 is exactly 5 x 84")
    crop_left_px: int = Field(110, ge=0, le=4096, description="left edge of the window, px")
    crop_top_px: int = Field(30, ge=0, le=4096, description="upper edge of the window, px")

    @model_validator(mode="after")
    def _window_inside_picture(self) -> CameraConfig:
        if self.crop_left_px + self.crop_px > self.width_px or self.crop_top_px + self.crop_px > self.height_px:
            raise ValueError("the crop window reaches outside the picture")
        return self


class ControlConfig(Section):
    """From a normalised action to joint velocity."""

    axes: tuple[Literal["x", "y", "z"], ...] = Field(
        ("x", "y"), min_length=1, max_length=3, description="directions in base that an action moves the tool along"
    )
    action_scale_m: float = Field(0.017, gt=0, le=0.02, description="tool travel of action 1 in one policy step, m")
    policy_rate_hz: float = Field(10.0, ge=1, le=30, description="policy steps per second")
    arm_rate_hz: Literal[50, 100, 125, 250, 500] = Field(100, description="joint velocity commands per second")
    tool_height_m: float = Field(
        0.06,
        ge=-0.5,
        le=0.6,
        description="fixed height of the tool tip for planar tasks, m in base; below 0 for a table lower than its base",
    )
    home_tool_m: Point = Field((0.65, 0.0, 0.06), description="tool tip at the start of an evaluation, m in base")
    home_posture_rad: JointAngles = Field(
        (-0.31262, -0.86189, 0.10067, 1.64009, -0.09158, 0.79719, 3.14410),
        description="joint angles right_j0 .. right_j6 with the tip at home_tool_m and the tool pointing down, rad",
    )
    tool_offset_m: float = Field(0.13562, ge=0, le=0.4, description="right_hand to tool tip along its z, m")
    set_point_reach_m: float = Field(0.02, gt=0, le=0.02, description="furthest the set-point leads the tool, m")
    position_gain_hz: float = Field(5.0, gt=0, le=50, description="outer loop gain, 1/s")
    rotation_gain_hz: float = Field(4.0, gt=0, le=50, description="outer loop gain on orientation, 1/s")
    damping: float = Field(0.03, gt=0, le=1, description="damped least squares, lambda")
    posture_gain_hz: float = Field(0.5, ge=0, le=5, description="null-space pull to the home posture, 1/s")
    lag_s: float = Field(
        0.06,
        ge=0,
        le=0.2,
        description="from an action until the arm has made half of it, s; 0.06 is the simulated arm's, `rig data lag` "
        "finds that of another",
    )

    @property
    def meaning(self) -> str:
        """What an action means, in words: who sends actions and who follows them must agree on it."""
        return f"{self.action_scale_m:g} m along {', '.join(self.axes)}, {self.policy_rate_hz:g} times a second"

    @model_validator(mode="after")
    def _axes_differ(self) -> ControlConfig:
        if len(set(self.axes)) < len(self.axes):
            raise ValueError(f"axes names a direction twice: {', '.join(self.axes)}")
        return self


class ToolConfig(Section):
    """What is fixed to the robot's hand; the robot must know it too. Its tip lies at control.tool_offset_m."""

    kind: Literal["none", "electric", "custom"] = Field(
        "electric", description="bare flange, the vendor's electric gripper, or something else"
    )
    mass_kg: float = Field(0.47, ge=0, le=4, description="mass of the tool, kg (electric gripper: 0.47)")
    fingers: Literal["free", "closed"] = Field(
        "free", description="whether people may open the electric gripper; closed: the task pushes with its fingers"
    )


class GuardConfig(Section):
    """Limits of the guard. Each may only be tighter than the hard ceiling in safety/limits.py."""

    box_low_m: Point = Field((0.55, -0.20, 0.03), description="lower corner of the tool tip's box, m in base")
    box_high_m: Point = Field((0.75, 0.20, 0.30), description="upper corner of the tool tip's box, m in base")
    table_height_m: Coordinate = Field(0.0, description="height of the table plane, m in base")
    table_clearance_m: float = Field(0.01, ge=0, le=0.2, description="room kept between any link and the table, m")
    keep_outs: tuple[tuple[Point, Point], ...] = Field(
        (), description="boxes (low corner, high corner) that no part of the arm may enter, m in base"
    )
    tool_speed_m_s: float = Field(0.25, gt=0, le=0.25, description="speed of the tool tip under the policy, m/s")
    slow_speed_m_s: float = Field(0.10, gt=0, le=0.25, description="speed of the tool tip for homing and teleop, m/s")
    joint_speed_fraction: float = Field(0.9, gt=0, le=0.95, description="share of each joint's rated speed")
    joint_acceleration_rad_s2: float = Field(8.0, gt=0, le=12, description="slew limit, rad/s^2")
    soft_ring_rad: float = Field(
        0.2, ge=0.05, le=1, description="where joint-limit braking begins, rad before the limit"
    )
    stop_ring_rad: float = Field(0.05, ge=0.02, le=0.5, description="where motion towards a joint limit ends, rad")
    reaction_time_s: float = Field(0.08, ge=0.01, le=0.5, description="identified delay of the arm, s")
    image_age_limit_s: float = Field(0.25, gt=0, le=0.4, description="oldest picture that may move the arm, s")
    action_age_limit_s: float = Field(0.15, gt=0, le=0.15, description="oldest action that may move the arm, s")
    collision_reports: Literal["required", "absent"] = Field(
        "required",
        description="whether the robot must report its collisions before it is enabled; absent: nothing stops the arm "
        "when it hits something",
    )
    state_age_limit_s: float = Field(0.15, gt=0, le=0.15, description="oldest arm state that may move the arm, s")
    trail_limit_rad: float = Field(
        0.1, gt=0, le=0.2, description="how far a joint may be from where its commands lead, rad"
    )
    push_limit_fraction: float = Field(
        0.35, gt=0, le=0.6, description="effort beyond what the arm's weight needs, as a share of the motor's rating"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> GuardConfig:
        if not all(low < high for low, high in zip(self.box_low_m, self.box_high_m, strict=True)):
            raise ValueError("box_low_m must lie below box_high_m in x, y and z")
        if self.stop_ring_rad >= self.soft_ring_rad:
            raise ValueError("stop_ring_rad must be smaller than soft_ring_rad")
        return self


class SimConfig(Section):
    """The simulated robot and room."""

    scene: Literal["reach", "push"] = Field("reach", description="what lies on the table: nothing, or a puck")
    fixture: Literal["none", "puck"] = Field(
        "none", description="what is put back before an episode of play or practice; puck: it comes to its mark"
    )
    camera_position_m: Point = Field((1.30, 0.0, 0.70), description="where the camera is, m in base")
    camera_target_m: Point = Field((0.66, 0.0, 0.12), description="the point it looks at, m in base")
    mesh_dir: str = Field("", description="folder of Sawyer STL meshes; empty: primitive shapes")
    multisamples: int = Field(4, ge=0, le=8, description="MSAA samples of the renderer")
    payload_error_kg: float = Field(
        0.0, ge=-1, le=1, description="mass in the hand that gravity compensation ignores, kg"
    )
    velocity_bias_rad_s: float = Field(0.0, ge=-0.05, le=0.05, description="constant error of joint speed, rad/s")

    @model_validator(mode="after")
    def _the_fixture_has_something_to_put_back(self) -> SimConfig:
        if self.fixture == "puck" and self.scene != "push":
            raise ValueError(f"fixture puck needs scene push: there is no puck in scene {self.scene}")
        return self

    @model_validator(mode="after")
    def _the_camera_looks_somewhere(self) -> SimConfig:
        if math.dist(self.camera_position_m, self.camera_target_m) < LEAST_LOOK_M:
            raise ValueError("camera_target_m is where the camera is: it must look at another place")
        return self


class FlawsConfig(Section):
    """What the simulated camera (the one in process) and servo get wrong; all zero: ideal ones."""

    noise: float = Field(0.0, ge=0, le=30, description="deviation of a pixel's noise in the 84 px picture, grey levels")
    blur_px: float = Field(0.0, ge=0, le=5, description="deviation of the optics' blur in the 84 px picture, px")
    exposure_flicker: float = Field(
        0.0, ge=0, le=0.5, description="deviation of a picture's brightness, as a share of the mean"
    )
    image_age_low_s: float = Field(0.0, ge=0, le=0.3, description="least age of a picture when it arrives, s")
    image_age_high_s: float = Field(0.0, ge=0, le=0.3, description="greatest age of a picture when it arrives, s")
    dropped: float = Field(0.0, ge=0, le=0.2, description="share of the camera's 30 pictures a second that are lost")
    servo_lag_s: float = Field(0.0, ge=0, le=0.1, description="how far the joints trail the path they were sent on, s")

    @model_validator(mode="after")
    def _ages_in_order(self) -> FlawsConfig:
        if self.image_age_low_s > self.image_age_high_s:
            raise ValueError("image_age_low_s must be at most image_age_high_s")
        return self

    def spoil_pictures(self) -> bool:
        """Whether anything about the pictures is less than ideal."""
        return any(value for key, value in self if key != "servo_lag_s")


class CollectConfig(Section):
    """Random play before any learning."""

    steps: int = Field(1000, ge=50, le=1_000_000, description="random steps for training")
    held_out_steps: int = Field(300, ge=21, le=100_000, description="further random steps, for the health check only")
    episode_steps: int = Field(50, ge=2, le=10_000, description="steps in a log file; the arm is not reset between")
    ou_sigma: float = Field(0.6, gt=0, le=2, description="Ornstein-Uhlenbeck noise: step deviation")
    ou_theta: float = Field(0.15, gt=0, le=1, description="Ornstein-Uhlenbeck noise: pull to zero")


class PracticeConfig(Section):
    """Practice on imagined goals, learning on the way (R14, R18)."""

    steps: int = Field(1200, ge=0, le=10_000_000, description="practice steps after random play")
    episode_steps: int = Field(50, ge=2, le=10_000, description="steps towards one imagined goal")
    put_back_every: int = Field(1, ge=1, le=10_000, description="episodes to one turn of a fixture, where there is one")
    pretrain_updates: int = Field(2000, ge=0, le=10_000_000, description="TD3 updates on random play before practice")
    updates_per_step: int = Field(4, ge=0, le=64, description="TD3 updates in a practice step")
    ou_sigma: float = Field(0.3, gt=0, le=2, description="exploration noise: step deviation")
    ou_theta: float = Field(0.15, gt=0, le=1, description="exploration noise: pull to zero")
    tune_every_steps: int = Field(500, ge=0, le=10_000_000, description="VAE fine-tuning period in steps; 0: never")
    tune_updates: int = Field(100, ge=0, le=100_000, description="gradient steps of one VAE fine-tuning")
    snapshot_every_steps: int = Field(
        600, ge=1, le=10_000_000, description="checkpoint period, rounded up to whole episodes"
    )


class EvalConfig(Section):
    """The fixed exam."""

    goals: int = Field(50, ge=1, le=10_000, description="goal pictures that training never saw")
    goal_seed: int = Field(12345, ge=0, le=2**31 - 1, description="seed of the goal pictures")
    episode_steps: int = Field(50, ge=1, le=10_000, description="steps from home towards a goal")
    success_m: float = Field(0.03, gt=0, le=1, description="final distance that counts as success, m")


class Config(Section):
    """Everything that decides a run. `preset` names the recipe the report shows."""

    preset: str = Field("rig", pattern=r"^[a-z0-9_]{1,40}$", description="name of the recipe")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of everything random in a run but the exam")
    threads: int = Field(1, ge=1, le=64, description="torch threads of the trainer")
    number_format: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of the trainer's gradients, VAE and agent; what is stored and acts is float32 in both; rig bench "
        "precision compares them",
    )
    replay_pictures: int = Field(
        120_000,
        ge=20_002,
        le=10_000_000,
        description="most pictures that the learner holds, 21168 bytes each: one a step, at most two more an episode; "
        "beyond them the oldest episodes leave it; they stay in the log",
    )
    camera: CameraConfig = CameraConfig()
    control: ControlConfig = ControlConfig()
    tool: ToolConfig = ToolConfig()
    guard: GuardConfig = GuardConfig()
    sim: SimConfig = SimConfig()
    flaws: FlawsConfig = FlawsConfig()
    collect: CollectConfig = CollectConfig()
    vae: VaeConfig = VaeConfig()
    agent: AgentConfig = AgentConfig()
    practice: PracticeConfig = PracticeConfig()
    evaluation: EvalConfig = EvalConfig()

    @model_validator(mode="after")
    def _bare_flange_has_no_tool(self) -> Config:
        if self.tool.kind == "none" and (self.control.tool_offset_m > 0 or self.tool.mass_kg > 0):
            raise ValueError("tool.kind none needs control.tool_offset_m 0 and tool.mass_kg 0")
        return self

    def hash(self) -> str:
        """The first 16 hex digits of SHA-256 over the canonical JSON of all values."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
