"""Which tensors of a file are the weights of a backbone, whatever prefix their names have."""

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput, Notice

# What is said of the first layer of a backbone for greyscale images.
FOR_GREY = "is for greyscale images; the layer now sees the mean of the three colours"
_SHOWN = 3  # names that a message shows of a longer list
# First parts of the names of heads, which a backbone does not have, and of tensors that change no
# output of a backbone.
_NOT_OF_THE_BACKBONE = frozenset(
    "fc head heads head_dist classifier last_linear linear logits aux_logits predictor projector "
    "projection mask_token n_averaged".split()
)
_COUNTERS = ("num_batches_tracked", "total_ops", "total_params")


class Ambiguous(InvalidInput):
    """The error that a file holds several weights of a backbone, and none of them is preferred."""


@dataclass(frozen=True)
class Wanted:
    """The weights that a backbone needs, and the names in a file that may be left over.

    tensors: the tensors of the backbone's state_dict, by name.
    optional: names of tensors that a file may lack.
    classifiers: names of modules of the classifier that was removed from the backbone.
    """

    tensors: Mapping[str, Tensor]
    optional: Collection[str] = ()
    classifiers: Collection[str] = ()

    @property
    def needed(self) -> list[str]:
        """The names that a file must have; BatchNorm's counts of batches are never needed."""
        return [n for n in self.tensors if n not in self.optional and not n.endswith(_COUNTERS)]

    def may_be_left(self, name: str) -> bool:
        """Return whether a file's further tensor `name` says nothing against the file.

        Such a tensor belongs to a classifier or another head, or it only counts.
        """
        if name.endswith(_COUNTERS) or name.partition(".")[0] in _NOT_OF_THE_BACKBONE:
            return True
        return any(name == c or name.startswith(f"{c}.") for c in self.classifiers)


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file whose names begin with a prefix fit a backbone.

    tensors: the tensors of the backbone in the file, by the names of the backbone. missing,
    unexpected: names that the file lacks, and that the backbone has not. misshapen: a text for
    each tensor of another shape or kind of numbers.
    """

    prefix: str
    tensors: Mapping[str, Tensor]
    missing: Sequence[str]
    unexpected: Sequence[str]
    misshapen: Sequence[str]
    repeated: Sequence[str] = ()

    @property
    def is_whole(self) -> bool:
        """True if the backbone can be filled from the file."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def problems(self) -> str:
        """What does not fit, in words, with the first names and the number of names."""
        kinds = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape or type", self.misshapen),
        )
        return "; ".join(f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds if names)


def _some(names: Sequence[str]) -> str:
    """Return the first names of a list, joined by commas, with dots if there are more names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def fitting(state: Mapping[str, Tensor], wanted: Wanted, *, source: str) -> dict[str, Tensor]:
    """Return the tensors of a file that fill a backbone, by the names of the backbone.

    The names in the file may have any prefix, such as those that wrappers and checkpoints add. If
    the weights are there under several prefixes, with other numbers each, an exponential moving
    average (a prefix with `ema`) is taken. state: the tensors of the file by name. source: where
    the tensors are from, for the messages.

    InvalidInput is raised if no prefix gives all weights that are needed in their right shape, if
    the file has weights of further layers, and Ambiguous if several prefixes remain, such as those
    of a student and a teacher. A Notice says that kernels for greyscale images were adapted.
    """
    found = [_fit(state, wanted, prefix) for prefix in _prefixes(state, wanted)]
    whole = _without_copies([fit for fit in found if fit.is_whole])
    averaged = [fit for fit in whole if _is_average(fit.prefix)]
    chosen = averaged if len(averaged) == 1 else whole
    if len(chosen) == 1:
        for name in chosen[0].repeated:
            warnings.warn(f"{source}: {name} {FOR_GREY}", Notice, stacklevel=2)
        return dict(chosen[0].tensors)
    if chosen:
        names = " and ".join(fit.prefix or "no prefix" for fit in chosen)
        raise Ambiguous(
            f"{source} holds several weights of this backbone, with the prefixes {names}; write "
            "those that you want to a file of their own"
        )
    if not found:
        told = f"none of its {len(state)} entries is of it (the first are {_some(list(state))})"
        raise InvalidInput(f"{source} does not hold the weights of this backbone: {told}")
    best = found[0]
    below = f" below {best.prefix!r}" if best.prefix else ""
    raise InvalidInput(
        f"{source} does not hold the weights of this backbone: of {len(wanted.tensors)} "
        f"entries{below} {best.problems}"
    )


def _prefixes(state: Mapping[str, Tensor], wanted: Wanted) -> list[str]:
    """Return each prefix under which a file has a tensor of a backbone, the best prefix first.

    A prefix is empty or ends with a dot. The best prefix has the most names of the backbone; a
    prefix with less than half as many names is left out.
    """
    counts: Counter[str] = Counter()
    for name in state:
        starts = [0, *(i + 1 for i, letter in enumerate(name) if letter == ".")]
        counts.update(name[:start] for start in starts if name[start:] in wanted.tensors)
    most = max(counts.values(), default=0)
    return [prefix for prefix, count in counts.most_common() if 2 * count > most]


def _fit(state: Mapping[str, Tensor], wanted: Wanted, prefix: str) -> Fit:
    """Return how the tensors of a file whose names begin with `prefix` fit a backbone."""
    inside = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    own = {n: adapted(t, wanted.tensors[n]) for n, t in inside.items() if n in wanted.tensors}
    others = [n for n in inside if n not in own and not wanted.may_be_left(n)]
    return Fit(
        prefix,
        own,
        missing=[name for name in wanted.needed if name not in own],
        unexpected=others,
        misshapen=[
            f"{n}: {_described(t)}, not {_described(wanted.tensors[n])}"
            for n, t in own.items()
            if not _alike(t, wanted.tensors[n])
        ],
        repeated=[n for n, t in own.items() if t.shape != inside[n].shape],
    )


def adapted(given: Tensor, wanted: Tensor) -> Tensor:
    """Return the kernels of a first layer for greyscale images as kernels for three colours.

    Kernels [C, 1, k, k] for which [C, 3, k, k] is wanted are repeated and divided by 3, so that
    the layer sees the mean of the three colours. Any other tensor is returned unchanged.
    """
    is_grey = given.ndim == 4 and given.shape[1] == 1 and wanted.shape[1:2] == (3,)
    if is_grey and given.shape[2:] == wanted.shape[2:]:
        return given.expand(-1, 3, -1, -1) / 3
    return given


def _alike(given: Tensor, wanted: Tensor) -> bool:
    """Return whether a tensor has the wanted shape, and real numbers if real numbers are wanted.

    The number of bits may differ.
    """
    same_kind = given.is_floating_point() == wanted.is_floating_point()
    return given.shape == wanted.shape and same_kind


def _described(tensor: Tensor) -> str:
    """Return the shape and the type of a tensor in words, such as `[64, 3, 7, 7] float32`."""
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _is_average(prefix: str) -> bool:
    """Return whether a prefix names an exponential moving average, such as `model_ema.`."""
    return any("ema" in part.split("_") for part in prefix.lower().split("."))


def _without_copies(fits: Sequence[Fit]) -> list[Fit]:
    """Return the fits without those whose tensors equal the tensors of an earlier fit."""
    kept: list[Fit] = []
    for fit in fits:
        if not any(_equal(fit.tensors, other.tensors) for other in kept):
            kept.append(fit)
    return kept


def _equal(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    """Return whether two mappings have equal tensors under the same names."""
    return some.keys() == others.keys() and all(torch.equal(t, others[n]) for n, t in some.items())
