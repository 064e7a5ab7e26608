"""The deterministic policy in a model of Stable-Baselines3 or sb3-contrib, as a file that plays without torch."""

from typing import Any

import gymnasium
import numpy as np
from torch import Tensor, nn

from datamodules.control.experts.network_policy import NetworkPolicy
from gato_lightning.errors import UserError

_ACTIVATIONS = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.ELU: "elu"}


def exported(model: Any, statistics: Any | None) -> NetworkPolicy:
    """Returns the policy of a model, with its numbers in half precision.

    Args:
        model: what was trained; its observations are flat.
        statistics: VecNormalize that the model was trained with, if any.

    Raises:
        UserError: a network of other parts than linear layers and known activations.
    """
    modules, output = _modules(model)
    weights: list[np.ndarray] = []
    biases: list[np.ndarray] = []
    activations: set[str] = set()
    scale: np.ndarray | None = None  # a normalisation in front of the next linear layer
    shift: np.ndarray | None = None
    for module in modules:
        if isinstance(module, nn.Linear):
            weight = _numpy(module.weight)
            bias = np.zeros(len(weight)) if module.bias is None else _numpy(module.bias)
            if scale is not None and shift is not None:
                bias, weight, scale = bias + weight @ shift, weight * scale, None
            weights.append(weight.astype(np.float16))
            biases.append(bias.astype(np.float16))
        elif type(module) in _ACTIVATIONS:
            activations.add(_ACTIVATIONS[type(module)])
        elif hasattr(module, "ra_mean"):  # CrossQ's batch renormalisation
            scale = _numpy(module.scale) / np.sqrt(_numpy(module.ra_var) + module.eps)
            shift = _numpy(module.bias) - _numpy(module.ra_mean) * scale
        elif not isinstance(module, nn.Flatten | nn.Identity):
            raise UserError(f"a policy with a {type(module).__name__} cannot be written as an expert")
    if len(activations) > 1:
        raise UserError(f"a policy of several activations ({', '.join(sorted(activations))}) cannot be written as an expert")
    policy = NetworkPolicy(tuple(weights), tuple(biases), next(iter(activations), "relu"), output, **_moments(statistics))
    if not all(np.isfinite(one).all() for one in policy.tensors().values()):
        raise UserError("the policy has weights that are not finite in half precision")
    return policy


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def _modules(model: Any) -> tuple[list[nn.Module], Any]:
    """The parts of the policy network in their order, and what becomes of its outputs."""
    policy = model.policy
    discrete = isinstance(model.action_space, gymnasium.spaces.Discrete)
    if hasattr(policy, "q_net"):  # DQN
        return list(policy.q_net.q_net), "argmax"
    if hasattr(policy, "mlp_extractor"):  # PPO, A2C, TRPO
        return [*policy.mlp_extractor.policy_net, policy.action_net], "argmax" if discrete else "clip"
    if hasattr(policy, "actor") and hasattr(policy.actor, "latent_pi"):  # SAC, TQC, CrossQ
        mean = policy.actor.mu
        return [*policy.actor.latent_pi, *(mean if isinstance(mean, nn.Sequential) else [mean])], "tanh"
    if hasattr(policy, "actor"):  # TD3
        *rest, last = policy.actor.mu
        assert isinstance(last, nn.Tanh)
        return rest, "tanh"
    network = policy.action_net  # ARS
    parts = list(network) if isinstance(network, nn.Sequential) else [network]
    if parts and isinstance(parts[-1], nn.Tanh):
        return parts[:-1], "tanh"
    return parts, "argmax" if discrete else "clip"


def _moments(statistics: Any | None) -> dict[str, np.ndarray]:
    if statistics is None or not statistics.norm_obs:
        return {}
    moments = statistics.obs_rms
    deviation = np.sqrt(moments.var + statistics.epsilon)
    return {"mean": moments.mean.astype(np.float32), "deviation": deviation.astype(np.float32)}
