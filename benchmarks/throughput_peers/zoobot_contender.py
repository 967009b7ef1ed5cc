"""Zoobot's own training as a contender of benchmarks/throughput.py, in Zoobot's own environment.

Speaks as contender.py does. FinetuneableZoobotTree with an encoder of timm's without weights,
Zoobot's default view of JPEGs by its own CatalogDataset, its AdamW with layer decay, float32. The
steps are taken in a plain loop, so that Lightning's own costs are not counted against it. Votes
are drawn at random: their values change no timing.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from galaxy_datasets.pytorch.galaxy_dataset import CatalogDataset
from galaxy_datasets.transforms import default_view_config, get_galaxy_transform
from PIL import Image
from processor_time import processor_seconds  # type: ignore[import-not-found]  # beside it
from torch.utils.data import DataLoader
from zoobot.pytorch.training.finetune import FinetuneableZoobotTree
from zoobot.shared.schemas import gz2_ortho_schema

NUM_FILES = 512  # galaxies written as JPEGs, and read again and again


def catalogue(data: str, folder: Path, length: int) -> pd.DataFrame:
    """JPEGs of the first galaxies, listed until there are `length`, with votes for each."""
    images = np.load(data)["images"][:NUM_FILES]
    paths = [str(folder / f"{number}.jpg") for number in range(len(images))]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path, quality=95)
    listed = np.resize(paths, length)
    votes = np.random.default_rng(0).poisson(5, (length, len(gz2_ortho_schema.label_cols)))
    columns = dict(zip(gz2_ortho_schema.label_cols, votes.T))
    return pd.DataFrame({"id_str": listed, "file_loc": listed, **columns})


def batches(task: dict, folder: Path):
    """Batches of a DataLoader whose galaxies hardly end."""
    view = default_view_config()
    view.output_size = task["config"]["input_side"]
    listed = catalogue(task["data"], folder, 200_000)
    galaxies = CatalogDataset(listed, gz2_ortho_schema.label_cols, get_galaxy_transform(view))
    is_gpu = task["device"] == "cuda"
    loader = DataLoader(
        galaxies, task["config"]["batch_size"], num_workers=task["workers"], pin_memory=is_gpu
    )
    return iter(loader)


def main() -> None:
    """Do rounds for as long as they are asked for."""
    task = json.loads(sys.stdin.readline())
    torch.set_num_threads(task["threads"])
    device = torch.device(task["device"])
    name = task["config"]["architecture"].removeprefix("timm:")
    encoder = timm.create_model(name, num_classes=0, pretrained=False)
    model = FinetuneableZoobotTree(schema=gz2_ortho_schema, encoder=encoder).to(device).train()
    optimiser = model.configure_optimizers()
    with tempfile.TemporaryDirectory() as folder:
        source = batches(task, Path(folder))

        def train(num_batches: int) -> None:
            for number in range(num_batches):
                batch = next(source)
                sent = {
                    key: value.to(device, non_blocking=True) if torch.is_tensor(value) else value
                    for key, value in batch.items()
                }
                optimiser.zero_grad()
                model.training_step(sent, number)["loss"].backward()
                optimiser.step()
            if device.type == "cuda":
                torch.cuda.synchronize()

        train(task["warm_up"])
        print(json.dumps({"operations": None}), flush=True)
        for line in sys.stdin:
            started, spent = time.perf_counter(), processor_seconds()
            train(int(line))
            seconds = time.perf_counter() - started
            answer = {"images": int(line) * task["config"]["batch_size"], "seconds": seconds}
            answer["processor_seconds"] = processor_seconds() - spent
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
