"""The sections of the schema that decide what is learnt: encoder and agent. Part of `config.Config`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robot_rig.config_section import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(ge=1, le=4096)]


class VaeConfig(Section):
    """The encoder: the beta-VAE (R11-R13), keypoints, or both."""

    encoder: Literal["vae", "keypoints", "vae_keypoints"] = Field(
        "vae",
        description="what a latent is: the VAE's mean; places of things in the picture, which hold an object that is "
        "pushed about; or both, one behind the other",
    )
    net: Literal["small", "rlkit"] = Field("small", description="encoder and decoder; rlkit is the authors' net")
    latent_dim: int = Field(8, ge=2, le=64, description="numbers in the VAE's latent z")
    keypoints: int = Field(16, ge=2, le=64, description="places in a latent, two numbers each, where there are any")
    pixel_weights: Literal["even", "surprise"] = Field(
        "even", description="what a pixel's error weighs in training: all the same, or more where it seldom looks so"
    )
    beta: float = Field(1.0, ge=0, le=10_000, description="weight of the KL term, which carries its 1/2")
    updates: int = Field(1000, ge=1, le=1_000_000, description="gradient steps before practice")
    batch: int = Field(64, ge=2, le=1024, description="frames in a gradient step")
    learning_rate: float = Field(1e-3, gt=0, le=0.1, description="step size of Adam")

    @model_validator(mode="after")
    def _keypoints_lie_beside_the_small_net(self) -> VaeConfig:
        if self.encoder != "vae" and self.net != "small":
            raise ValueError(f"encoder {self.encoder} goes with net small only")
        return self


class AgentConfig(Section):
    """The goal-conditioned agent on latents (R1, R6, R8, R9, R15)."""

    kind: Literal["rig", "gcbc"] = Field(
        "rig",
        description="rig: TD3 on the latent distance; gcbc: behaviour cloning of the steps of people where there are "
        "any, else of every step; of the settings below it takes hidden, learning_rate, batch and polyak",
    )
    hidden: tuple[Width, ...] = Field(
        (256, 256), min_length=1, max_length=4, description="units in the hidden layers of actor and critics"
    )
    layer_norm: bool = Field(True, description="LayerNorm in the critics")
    learning_rate: float = Field(1e-3, gt=0, le=0.1, description="step size of Adam")
    batch: int = Field(128, ge=2, le=4096, description="transitions in a gradient step")
    discount: float = Field(0.9, gt=0, lt=1, description="gamma, per policy step")
    polyak: float = Field(0.01, gt=0, le=1, description="tau: how far the targets follow in one update")
    target_noise: float = Field(0.05, ge=0, le=1, description="deviation of the target action's noise")
    target_noise_clip: float = Field(0.1, ge=0, le=1, description="bound of the target action's noise")
    policy_delay: int = Field(2, ge=1, le=10, description="critic updates in one actor update")
    metric: Literal["identity", "precision", "whitened", "slow"] = Field(
        "whitened", description="the latent distance (R6); slow: what changes slowly in play counts for more"
    )
    slow_limit: float = Field(
        2.0, ge=1, le=100, description="most that metric slow lengthens or shortens a direction, as a factor"
    )
    goals: Literal["prior", "aggregate", "achieved"] = Field("achieved", description="imagined goals z_g ~ p(z) (R8)")
    mix_rollout: Fraction = Field(0.2, description="share of a batch with the goal of its episode (R9)")
    mix_imagined: Fraction = Field(0.5, description="share of a batch with a freshly imagined goal (R9)")
    mix_future: Fraction = Field(0.3, description="share of a batch with a later frame as goal (R9)")

    @model_validator(mode="after")
    def _mix_sums_to_one(self) -> AgentConfig:
        total = self.mix_rollout + self.mix_imagined + self.mix_future
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"mix_rollout + mix_imagined + mix_future must be 1, is {total:g}")
        return self
