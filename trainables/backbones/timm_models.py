"""The models of the timm library: found by name, built, and taken apart."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import timm
from safetensors import SafetensorError
from timm.models import PretrainedCfg, group_parameters
from torch import nn

from search_spaces.declaration import InvalidInput, did_you_mean
from trainables.backbones.fine_tuning import groups_by_part
from trainables.backbones.hub_models import described, is_hub_name
from trainables.files import one_line

_LONGEST = 200  # characters that are kept of another library's message
# The errors of timm's models for what a model cannot do, of which each family raises another one,
# and the errors of a damaged file of weights in a cache.
REFUSALS = (
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    UnpicklingError,
)


@contextmanager
def refused_as(message: str) -> Iterator[None]:
    """Turn the errors of a timm model into InvalidInput with one line that begins with `message`.

    The errors are those of REFUSALS, InvalidInput among them. An OSError, and any other error,
    passes unchanged.
    """
    try:
        yield
    except OSError:  # a failed download; those of the hub are ValueErrors as well
        raise
    except REFUSALS as error:
        raise InvalidInput(f"{message}: {short(error)}") from None


def short(error: BaseException) -> str:
    """Return an error's text on one line, at most 200 characters of it."""
    return one_line(error)[:_LONGEST]


def timm_member(architecture: str) -> str:
    """Return timm's name of a model, that is the architecture without `timm:`.

    A model or a tag of weights that timm does not know raises InvalidInput, whose message offers
    the nearest name if one is near. The description of a model on the Hugging Face hub is
    downloaded if the hub's cache lacks it; Unreachable is raised if it cannot be had. Whether the
    model has weights is not checked.
    """
    name = architecture.removeprefix("timm:")
    if is_hub_name(name):
        described(name)
        return name
    base = name.partition(".")[0]
    if not timm.is_model(base):
        hint = did_you_mean(base, timm.list_models()) if base else ""
        near = hint if "did you mean" in hint else "; timm.list_models() names them"
        raise InvalidInput(f"timm {timm.__version__} has no model {name!r}{near}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = timm.list_pretrained(f"{base}.*")
        near = did_you_mean(name, tags) if tags else "; there are none of that model"
        raise InvalidInput(f"timm {timm.__version__} has no weights {name!r}{near}") from None
    return name


def published_weights(name: str) -> PretrainedCfg:
    """Return what timm knows of a model's weights, such as their input size and address.

    name: timm's name of the model, which must exist. A model without weights has the defaults of
    PretrainedCfg, without addresses and with a side of 224 pixels.
    """
    if is_hub_name(name):
        return described(name)[1]
    return timm.get_pretrained_cfg(name) or PretrainedCfg()


def created(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return timm's model `name` built with `options`; InvalidInput if it cannot be built.

    options: arguments of timm.create_model by name. With `pretrained` the weights are downloaded
    if a cache lacks them; OSError is raised if the download fails.
    """
    with refused_as(f"timm's {name} cannot be built"):
        return timm.create_model(name, **options)


def remove_classifier(model: nn.Module) -> set[str]:
    """Remove a timm model's classifier and pooling, in place; return the classifier's modules.

    A family that does not allow to remove the pooling, or the classifier, keeps it; FeatureMap
    then uses `forward_features`.
    """
    before = set(model.state_dict())
    for pooling in ("", None):  # "" removes the pooling; None keeps it if the family refuses ""
        try:
            model.reset_classifier(0, pooling)  # type: ignore[operator]
            break
        except REFUSALS:
            continue
    removed = before - set(model.state_dict())
    return {name.rpartition(".")[0] or name for name in removed}


def parameter_names_by_group(model: nn.Module) -> list[list[str]]:
    """Return the names of a model's parameters in groups, from the input to the output.

    The groups are timm's coarse groups if the model has such groups, otherwise timm's fine groups,
    and the parts of the model (see `groups_by_part`) if timm has no groups at all.
    """
    for coarse in (True, False):
        try:
            matcher = model.group_matcher(coarse=coarse)  # type: ignore[operator]
            return list(group_parameters(model, matcher).values())
        except REFUSALS:
            continue
    return groups_by_part(model)
