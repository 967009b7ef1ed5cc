"""The part of a network's weights that training changes, and its averages over the steps."""

from collections.abc import Mapping

from torch import Tensor

from trainables.layers import GalaxyNetwork
from trainables.training.averaged_weights import AveragedWeights


class MovingWeights:
    """The part of a network's state_dict that training changes; the rest is frozen.

    average: the average of the moving weights over the steps, or None if no average is kept.
    """

    def __init__(self, network: GalaxyNetwork, averaging_steps: float | None) -> None:
        """Take a network before its first step.

        averaging_steps: number of steps over which the average reaches back, above 0; None to keep
        no average.
        """
        self._network, self._frozen_names = network, network.frozen_names()
        self.average = (
            None if averaging_steps is None else AveragedWeights(self.tensors(), averaging_steps)
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the network's own tensors that training changes, by their state_dict names."""
        state = self._network.state_dict(keep_vars=True)
        return {name: state[name] for name in state if name not in self._frozen_names}

    def state(self) -> dict[str, Tensor]:
        """Return the moving weights by name, without gradients and not as copies."""
        return {name: tensor.detach() for name, tensor in self.tensors().items()}

    def frozen(self) -> dict[str, Tensor]:
        """Return the weights that training does not change, by name, on the CPU.

        If the network is on the CPU, the tensors are not copies.
        """
        state = self._network.state_dict()
        return {name: state[name].detach().cpu() for name in self._frozen_names}

    def kept(self) -> dict[str, Tensor]:
        """Return a copy, on the CPU, of the averages; of the moving weights without averages."""
        kept = self.state() if self.average is None else self.average.state
        return {name: tensor.cpu().clone() for name, tensor in kept.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Copy moving weights into the network; RuntimeError if they belong to another network."""
        self._network.load_state_dict({**self.frozen(), **weights})
