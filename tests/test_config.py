"""Configurations refuse what cannot be, by name, and survive a trip through JSON."""

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from glint_edge.config import GONE_LEVERS, LEVERS, PANELS, ModelConfig, TrainConfig, configs
from glint_edge.errors import ConfigError
from glint_edge.levers import Between, levers_of

NAN, INFINITY = float("nan"), float("inf")

IMPOSSIBLE_MODELS = [
    *[
        (name, value)
        for name in ("items", "d", "heads", "kernel", "max_length")
        for value in (0, -1, 2.0, "3", None, True, NAN)
    ],
    ("d", 66),  # not a multiple of heads = 4
    ("heads", 3),
    ("kernel", 2),
    ("kernel", 4),
    ("gated_mlp", 1),
    ("gated_mlp", None),
    *[
        (name, value)
        for name in ("embedding_dropout", "attention_dropout", "block_dropout")
        for value in (-0.1, 1.0, 1, "0.5", None, False, NAN, INFINITY)
    ],
    *[("norm_eps", value) for value in (-1e-12, 1.0, "0", None, False, NAN)],
    ("padding", "left"),
    ("padding", None),
    *[("variant", value) for value in ("Edge", "", None)],
    *[(name, value) for name in ("input_norm", "low_pass") for value in (1, None)],
]

IMPOSSIBLE_TRAININGS = [
    *[
        (name, value)
        for name in ("epochs", "patience", "batch_positions")
        for value in (0, -1, 1.0, "1", None, True)
    ],
    *[(name, value) for name in ("seed", "threads") for value in (-1, 0.0, None, False)],
    *[("learning_rate", value) for value in (0, 0.0, -1e-3, 10.0, "0.1", None, True, NAN)],
    *[("l2", value) for value in (-1e-3, 10.0, None, False, NAN, INFINITY)],
    *[(name, value) for name in ("output_start", "average") for value in (-0.1, 1.0, None, NAN)],
    *[
        (name, value)
        for name in ("loss", "schedule", "precision", "table_start")
        for value in ("", "gbce", None)
    ],
]


@pytest.mark.parametrize(("field", "value"), IMPOSSIBLE_MODELS)
def test_an_impossible_model_is_refused_by_its_field(field, value):
    with pytest.raises(ConfigError, match=rf"\b{field}\b"):
        ModelConfig(**{"items": 10} | {field: value})


@pytest.mark.parametrize(("field", "value"), IMPOSSIBLE_TRAININGS)
def test_an_impossible_training_is_refused_by_its_field(field, value):
    with pytest.raises(ConfigError, match=rf"\b{field}\b"):
        TrainConfig(**{field: value})


def test_odd_widths_are_refused_because_the_gate_is_half_as_wide():
    with pytest.raises(ConfigError, match="d must be even, not 5"):
        ModelConfig(items=10, d=5, heads=1)


@pytest.mark.parametrize(
    "values",
    [
        {"items": 1, "d": 2, "heads": 1, "kernel": 1, "max_length": 1},
        {"items": 10, "d": 6, "heads": 6, "kernel": 7},
        {"items": 10, "embedding_dropout": 0, "attention_dropout": 0.0, "block_dropout": 0.999},
        {"items": 10, "variant": "paper", "norm_eps": 0, "gated_mlp": False},
    ],
)
def test_the_edges_of_what_a_model_may_be_are_accepted(values):
    config = ModelConfig(**values)
    assert {name: getattr(config, name) for name in values} == values


def test_the_edges_of_what_a_training_may_be_are_accepted():
    TrainConfig(epochs=1, patience=1, batch_positions=1, seed=0, threads=0, l2=0.0)
    TrainConfig(learning_rate=9.9, l2=9.9, output_start=0, average=0)


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(
            items=7,
            d=12,
            heads=3,
            kernel=5,
            max_length=9,
            gated_mlp=False,
            embedding_dropout=0.1,
            attention_dropout=0.4,
            block_dropout=0.5,
            norm_eps=1e-5,
        ),
        TrainConfig(
            epochs=3,
            patience=2,
            batch_positions=5,
            learning_rate=0.01,
            l2=0.1,
            seed=9,
            threads=1,
        ),
    ],
    ids=lambda config: type(config).__name__,
)
def test_a_configuration_survives_json(config):
    stored = json.loads(json.dumps(config.to_dict()))
    assert list(stored) == [field.name for field in fields(config)]
    assert type(config).from_dict(stored) == config


@pytest.mark.parametrize(
    ("make", "values"), [(ModelConfig, {"items": 10}), (TrainConfig, {})], ids=["model", "train"]
)
def test_a_setting_of_a_newer_version_is_refused_by_name(make, values):
    with pytest.raises(ConfigError, match=r"'windings'.*upgrade"):
        make.from_dict({**values, "windings": 3})


@pytest.mark.parametrize("name", ModelConfig(items=10, variant="paper").to_dict())
def test_a_stored_model_that_lacks_a_setting_is_refused_by_name(name):
    stored = ModelConfig(items=10).to_dict()
    del stored[name]  # today's default may not be what it was stored with
    with pytest.raises(ConfigError, match=name):
        ModelConfig.from_dict(stored)


def test_what_was_stored_before_there_was_a_choice_is_what_was_done_then():
    paper = ModelConfig(items=10, variant="paper")
    stored = paper.to_dict()
    assert not {"variant", "input_norm", "low_pass"} & set(stored)  # the digest is what it was
    assert ModelConfig.from_dict(stored) == paper
    before = {n: v for n, v in TrainConfig().to_dict().items() if n not in TrainConfig.BEFORE}
    config = TrainConfig.from_dict(before)
    assert (config.table_start, config.output_start, config.average) == ("random", 0.0, 0.0)
    assert (config.schedule, config.l2) == ("constant", 0.0)


@pytest.mark.parametrize("gone", [GONE_LEVERS, {"temperature": 0.1, "crop": 0.5}])
def test_levers_that_are_gone_do_not_hinder_what_was_trained_with_them(gone):
    stored = TrainConfig(seed=9).to_dict()
    assert TrainConfig.from_dict({**stored, **gone}) == TrainConfig(seed=9)
    assert TrainConfig.from_dict({**stored, **gone, "loss": "gbce"}).loss == "cross-entropy"


def test_padding_as_in_the_authors_code_is_of_their_model():
    assert ModelConfig(items=10, variant="paper", padding="reference").padding == "reference"
    with pytest.raises(ConfigError, match="padding 'reference' is of variant 'paper'"):
        ModelConfig(items=10, padding="reference")


def test_what_normalises_a_row_of_zeros_needs_an_epsilon():
    with pytest.raises(ConfigError, match="norm_eps must be above 0 in variant 'edge'"):
        ModelConfig(items=10, norm_eps=0)
    ModelConfig(items=10, norm_eps=0, input_norm=False, low_pass=False)


@pytest.mark.parametrize("variant", ["edge", "paper"])
def test_the_paper_s_model_has_neither_the_norm_nor_the_filter(variant):
    edge = variant == "edge"
    for name in ("input_norm", "low_pass"):
        config = ModelConfig(items=10, variant=variant)
        assert (config.has_input_norm, config.has_low_pass) == (edge, edge)
        without = ModelConfig(items=10, variant=variant, **{name: False})
        assert not getattr(without, f"has_{name}")


def test_an_impossible_stored_value_is_refused_by_its_field():
    with pytest.raises(ConfigError, match="kernel"):
        ModelConfig.from_dict(ModelConfig(items=10).to_dict() | {"kernel": 2})


@pytest.mark.parametrize(
    ("config", "field"),
    [(ModelConfig(items=10), "items"), (TrainConfig(), "epochs")],
    ids=["model", "train"],
)
def test_a_configuration_cannot_be_changed(config, field):
    with pytest.raises(FrozenInstanceError):
        setattr(config, field, 11)


@pytest.mark.parametrize(("kernel", "lookahead"), [(1, 0), (3, 1), (5, 2), (7, 3)])
def test_the_lookahead_is_the_neighbours_on_one_side(kernel, lookahead):
    assert ModelConfig(items=10, kernel=kernel).lookahead == lookahead


# ---- levers -------------------------------------------------------------------------------------


def test_every_field_but_the_size_and_the_padding_is_a_lever_of_training():
    every = {**levers_of(ModelConfig), **levers_of(TrainConfig)}
    assert set(every) - set(LEVERS) == {"items", "padding"}
    assert list(dict.fromkeys(about.panel for about in LEVERS.values())) == list(PANELS)


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_says_what_it_does_and_all_that_is_searched_is_possible(name):
    about = LEVERS[name]
    assert about.help.endswith(".")
    about.check(about.default)
    if about.search:
        ends = (
            (about.search.low, about.search.high)
            if isinstance(about.search, Between)
            else about.search.values
        )
        for value in ends:
            about.check(value)


def test_levers_by_name_are_those_of_the_model_and_of_the_training():
    model, training = configs(10, {"d": 8, "heads": 2, "epochs": 3})
    assert model == ModelConfig(items=10, d=8, heads=2)
    assert training == TrainConfig(epochs=3)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("epoch", r"did you mean epochs\?"), ("learn_rate", r"did you mean learning_rate\?"),
        ("z", "choose one of d, "),
    ],
)  # fmt: skip
def test_an_unknown_lever_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ConfigError, match=f"lever '{name}' is unknown; {nearest}"):
        configs(10, {name: 1})
