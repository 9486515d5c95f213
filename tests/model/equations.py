"""The equations once more, a position at a time, in float64 and plain Python.

A mistake that encode, prefixes and the stream all share cannot hide here. Weights are the model's
only part.
"""

import math

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def gelu(x):
    return x * 0.5 * (1.0 + np.array([math.erf(value / math.sqrt(2.0)) for value in x]))


def unit(x):
    e = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
    return e / math.sqrt((e**2).sum())


def linear(w, name, x):
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def norm(w, name, x, eps):
    centred = x - x.mean()
    scaled = centred / math.sqrt((centred**2).mean() + eps)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def convolution(w, name, sequence, at):
    taps = w[f"{name}.weight"]
    reach = (taps.shape[2] - 1) // 2
    out = w[f"{name}.bias"].copy()
    for tap in range(taps.shape[2]):
        if 0 <= at - reach + tap < len(sequence):
            out += taps[:, :, tap] @ sequence[at - reach + tap]
    return out


def attention_expert(w, config, x):
    context = np.zeros(config.d)
    width = config.d // config.heads
    for head in range(config.heads):
        own = slice(head * width, (head + 1) * width)
        q = unit(linear(w, "query", x[-1])[own])
        for other in x:
            k, v = unit(linear(w, "key", other)[own]), linear(w, "value", other)[own]
            context[own] += (q @ k) * v / math.sqrt(width)
    out = linear(w, "attention_out", context)
    return norm(w, "attention_norm", x[-1] + out, config.norm_eps)


def selective_gru(w, config, x):
    d = config.d
    u = [linear(w, "gru_in", one) for one in x]
    h, gated = np.zeros(d), []
    for at in range(len(x)):
        c = convolution(w, "conv_in", u, at)
        now, past = w["gru.weight_ih_l0"] @ c, w["gru.weight_hh_l0"] @ h
        reset, update = sigmoid(now[:d] + past[:d]), sigmoid(now[d : 2 * d] + past[d : 2 * d])
        h = (1 - update) * np.tanh(now[2 * d :] + reset * past[2 * d :]) + update * h
        narrow = linear(w, "gate_down", c)
        gate = linear(w, "gate_up", narrow * sigmoid(narrow))
        gated.append(gate * linear(w, "gru_out", h))
    return convolution(w, "conv_out", gated, len(x) - 1)


def seen_by_the_experts(w, config, items):
    """X of every position."""
    x = [w["embedding.weight"][item] for item in items]
    if config.variant == "edge" and config.input_norm:
        x = [norm(w, "input_norm", one, config.norm_eps) for one in x]
    if config.variant == "paper" or not config.low_pass:
        return x
    g = sigmoid(np.minimum(w["low_pass.decay"], 4.0))
    filtered = []
    for at in range(len(x)):
        weights = [g ** (at - before) for before in range(at + 1)]
        low = sum(one * by for one, by in zip(x, weights, strict=False)) / sum(weights)
        high = w["low_pass.high"] ** 2 * (x[at] - low)
        filtered.append(norm(w, "low_pass_norm", x[at] + low + high, config.norm_eps))
    return filtered


def oracle(model, items):
    """The hidden r of one history, a list of item ids (eq. 1 to 12)."""
    config = model.config
    w = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    x = seen_by_the_experts(w, config, items)
    alpha = np.exp(w["mix"]) / np.exp(w["mix"]).sum()
    mixed = alpha[0] * selective_gru(w, config, x) + alpha[1] * attention_expert(w, config, x)
    inner = gelu(linear(w, "mix_gate", x[-1])) * mixed
    z = norm(w, "norm", x[-1] + linear(w, "mix_out", inner), config.norm_eps)
    if not config.gated_mlp:
        return z
    inner = gelu(linear(w, "mlp_gate", z)) * linear(w, "mlp_in", z)
    return norm(w, "norm", z + linear(w, "mlp_out", inner), config.norm_eps)
