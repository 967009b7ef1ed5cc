"""Time a training step in float32 and in bfloat16, to see which the device is faster in.

    python benchmarks/number_types.py [--architectures simple_cnn,residual_cnn,...] [--batch 128]

The networks are the published or default ones, on random images, on one thread of a processor or
on a GPU. The two types take turns, and the least of five times is shown, so that other work on the
machine disturbs little. The last column is the ratio of the times.
"""

import argparse
import time

import torch

from search_spaces.declaration import config_from_values
from trainables.architectures import build_without_weights
from trainables.decision_tree import NUM_ANSWERS
from trainables.device import computed_in, is_faster_in_bfloat16, training_device
from trainables.layers import GalaxyNetwork

_TURNS = 5
_VALUES = {"timm:tf_efficientnet_lite0": {"input_side": 64, "unfreeze": "all"}}
ARCHITECTURES = ("simple_cnn", "residual_cnn", "timm:tf_efficientnet_lite0")
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seconds(network: GalaxyNetwork, images: torch.Tensor, dtype: torch.dtype) -> float:
    """Return the seconds of both passes of a network for a batch of images."""
    votes = torch.full((len(images), NUM_ANSWERS), 0.5, device=images.device)
    started = time.perf_counter()
    with computed_in(dtype, images.device):
        predicted = network(images)
    (predicted - votes).square().mean().backward()
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Print a row for each architecture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architectures", type=lambda t: t.split(","), default=ARCHITECTURES)
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = training_device()
    kinds = f"AVX512-BF16 {torch.cpu._is_avx512_bf16_supported()}, AMX "
    print(f"torch {torch.__version__}, {device}, {kinds}{torch.cpu._is_amx_tile_supported()}")
    print(f"chosen by `auto`: {'bfloat16' if is_faster_in_bfloat16(device) else 'float32'}")
    print("| architecture | float32 | bfloat16 | bfloat16 / float32 |\n|---|---|---|---|")
    for name in arguments.architectures:
        config = config_from_values({"architecture": name, **_VALUES.get(name, {})})
        network = build_without_weights(config).to(device, memory_format=torch.channels_last)
        side = network.image_side
        images = torch.rand(arguments.batch, 3, side, side, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        times: dict[str, list[float]] = {name: [] for name in _TYPES}
        for _ in range(_TURNS + 1):
            for word, dtype in _TYPES.items():
                times[word].append(seconds(network, images, dtype))
        full, low = (min(found[1:]) for found in times.values())
        print(f"| {name} | {full:.3f} s | {low:.3f} s | {low / full:.2f} |", flush=True)


if __name__ == "__main__":
    main()
