"""The policy's tick in ONNX Runtime on one CPU core. Called by `runtime`; imports no torch.

The graph is written from a `TickPlan` in process; no file and no exporter is involved. It has two outputs, so that the
goal picture passes the very layers that frames pass: `features` (F,) of a picture, and `action` (A,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal
from robot_rig.interfaces import UNDER_WAY_ROWS
from robot_rig.learning.finite import require_action, require_goal
from robot_rig.learning.tick_plan import Convolution, Dense, Placing, TickPlan

OPSET = 17
IR_VERSION = 8
"""Understood by every ONNX Runtime since 1.14."""

ERRORS_ONLY = 3


class OnnxPolicy:
    """A tick plan in ONNX Runtime; implements `interfaces.Policy`. One thread, which never spins.

    `graph` is what `tick_graph` returns. Not for use from two threads at once.
    """

    def __init__(self, graph: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = ERRORS_ONLY
        # With one thread there is no pool to spin; said anyway, for the day that a default changes.
        for pool in ("intra_op", "inter_op"):
            options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        shapes = {value.name: value.shape for value in [*self._session.get_inputs(), *self._session.get_outputs()]}
        self.action_dim = int(shapes["action"][1])
        self._picture = np.zeros(IMAGE_SHAPE, np.uint8)
        self._goal = np.zeros(shapes["goal"], np.float32)
        self._under_way = np.zeros(shapes["under_way"], np.float32)
        self._features = np.zeros(shapes["features"], np.float32)
        self._action = np.zeros(shapes["action"], np.float32)
        self._encoding, self._acting = self._bound("features", self._features), self._bound("action", self._action)
        self._begun = False

    def _bound(self, output: str, array: Float32s) -> onnxruntime.IOBinding:
        """Inputs and one output tied to arrays of ours, so that a tick allocates nothing."""
        binding = self._session.io_binding()
        for name, value in (("picture", self._picture), ("goal", self._goal), ("under_way", self._under_way)):
            binding.bind_input(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)
        binding.bind_output(output, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding

    def begin(self, goal: Goal) -> None:
        """Encode the goal picture once (R7, R20). Raises PolicyFailedError when that gives something not a number."""
        np.copyto(self._picture, goal.image)
        self._begun = False
        np.copyto(self._goal, self._encode())
        require_goal(self._goal)
        self._begun = True

    def _encode(self) -> Float32s:
        self._session.run_with_iobinding(self._encoding)
        return self._features

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame, moved ahead by what is `under_way`.

        Raises RuntimeError before `begin`, and PolicyFailedError for an action that is not a number.
        """
        if not self._begun:
            raise RuntimeError("a policy must begin with a goal before it acts")
        np.copyto(self._picture, frame.rgb)
        self._under_way[:] = 0.0 if under_way is None else under_way
        self._session.run_with_iobinding(self._acting)
        action: Float32s = self._action[0].copy()
        require_action(action, self._encode)
        return action


def tick_graph(plan: TickPlan) -> bytes:
    """`plan` as a serialized ONNX model.

    Inputs: `picture` uint8 (84, 84, 3), `goal` float32 (1, F) and `under_way` float32 (UNDER_WAY_ROWS, 1 + A).
    """
    graph = _Graph()
    value = graph.add("Cast", "picture", to=TensorProto.FLOAT)
    value = graph.add("Transpose", value, perm=[2, 0, 1])
    picture = graph.add("Unsqueeze", value, graph.constant(np.array([0], np.int64)))
    parts = []
    if plan.convolutions:
        value = graph.add("Flatten", graph.convolved(picture, plan.convolutions), axis=1)
        for dense in plan.trunk:
            value = graph.dense(value, dense)
        parts.append(value)
    if plan.placing is not None:
        parts.append(graph.placed(picture, plan.placing))
    value = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    features = graph.dense(value, plan.features, name="features")
    value = graph.add("Concat", graph.ahead(features, plan.motion), "goal", axis=1)
    for dense in plan.actor[:-1]:
        value = graph.add("Relu", graph.dense(value, dense))
    graph.add("Tanh", graph.dense(value, plan.actor[-1]), name="action")
    return graph.model(plan)


class _Graph:
    """Nodes and constants under names made up on the way."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def dense(self, value: str, layer: Dense, name: str = "") -> str:
        return self.add("Gemm", value, self.constant(layer.weight), self.constant(layer.bias), name=name, transB=1)

    def convolution(self, value: str, layer: Convolution) -> str:
        inputs = (value, self.constant(layer.weight), self.constant(layer.bias))
        return self.add("Conv", *inputs, strides=2 * [layer.stride], pads=4 * [layer.padding])

    def convolved(self, value: str, layers: Sequence[Convolution]) -> str:
        """A ReLU behind each."""
        for layer in layers:
            value = self.add("Relu", self.convolution(value, layer))
        return value

    def placed(self, picture: str, placing: Placing) -> str:
        """The keypoints (1, 2 K) of the picture."""
        scores = self.convolution(self.convolved(picture, placing.convolutions), placing.scores)
        maps = self.add("Reshape", scores, self.constant(np.array([len(placing.scores.bias), len(placing.places)])))
        points = self.add("MatMul", self.add("Softmax", maps, axis=1), self.constant(placing.places))
        return self.add("Reshape", points, self.constant(np.array([1, -1])))

    def ahead(self, features: str, motion: Sequence[Dense]) -> str:
        """The features (1, F) after each row under way in turn.

        `motion` answers an action and no action as two rows, and share * (first - second) is added. What the action
        contributes to the first layer does not depend on the features, and is computed for all rows at once.
        """
        first, middle, last = motion
        seen = len(last.bias)
        shares, actions = self.split("under_way", [1, first.weight.shape[1] - seen], axis=1)
        still = self.constant(np.zeros((UNDER_WAY_ROWS, first.weight.shape[1] - seen), np.float32))
        pairs = self.add("Concat", actions, still, axis=1)
        pairs = self.add("Reshape", pairs, self.constant(np.array([2 * UNDER_WAY_ROWS, -1])))
        pairs = self.dense(pairs, Dense(np.ascontiguousarray(first.weight[:, seen:]), first.bias))
        signed = self.add("MatMul", shares, self.constant(np.array([[1.0, -1.0]], np.float32)))
        given = self.split(pairs, UNDER_WAY_ROWS * [2], axis=0)
        weight = self.constant(np.ascontiguousarray(first.weight[:, :seen].T))
        for pair, signs in zip(given, self.split(signed, UNDER_WAY_ROWS * [1], axis=0), strict=True):
            value = self.add("Tanh", self.add("Add", self.add("MatMul", features, weight), pair))
            value = self.dense(self.add("Tanh", self.dense(value, middle)), last)
            features = self.add("Add", features, self.add("MatMul", signs, value))
        return features

    def split(self, value: str, sizes: Sequence[int], axis: int) -> list[str]:
        outputs = [f"{value}_part_{i}" for i in range(len(sizes))]
        self._nodes.append(helper.make_node("Split", [value, self.constant(np.array(sizes))], outputs, axis=axis))
        return outputs

    def model(self, plan: TickPlan) -> bytes:
        picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, IMAGE_SHAPE)
        goal = _floats("goal", (1, plan.feature_dim))
        inputs = [picture, goal, _floats("under_way", (UNDER_WAY_ROWS, 1 + plan.action_dim))]
        outputs = [_floats("features", (1, plan.feature_dim)), _floats("action", (1, plan.action_dim))]
        graph = helper.make_graph(self._nodes, "tick", inputs, outputs, self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="robot_rig")
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _floats(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
