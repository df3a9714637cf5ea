"""Trains a convolutional network on the digits of `examples/digits`, an epoch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from rungmaster import Trial

from ..digits.data import Part, read_digits

FILE = "state.pt"


def build_network(channels: int, dropout: float) -> nn.Sequential:
    """Two convolutions over the 8 × 8 pixels and a linear layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, channels, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(2 * channels * 16, 10),
    )


class Learner:
    """The network, its optimiser, and where its chance numbers stand: all that training depends on."""

    def __init__(self, hparams: Mapping[str, Any], seed: int) -> None:
        """Starts from random weights, on the GPU that the worker gave this trial, or else on the CPU."""
        # The worker's processes share the cores: one thread for each trial is what they can have.
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = build_network(hparams["channels"], hparams["dropout"]).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=hparams["learning_rate"], weight_decay=hparams["weight_decay"]
        )
        self.batch_size: int = hparams["batch_size"]

    def tensors(self, part: Part) -> tuple[Tensor, Tensor]:
        """Images and digits where the network is."""
        images = torch.as_tensor(part.images, dtype=torch.float32, device=self.device)
        return images, torch.as_tensor(part.digits, device=self.device)

    def fit_one_epoch(self, images: Tensor, digits: Tensor) -> None:
        """Goes through the images once, in a new order."""
        self.network.train()
        for batch in torch.randperm(len(images)).split(self.batch_size):
            chosen = batch.to(self.device)
            loss = nn.functional.cross_entropy(self.network(images[chosen]), digits[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def error(self, images: Tensor, digits: Tensor) -> float:
        """The share of images read wrongly, 0 … 1."""
        self.network.eval()
        return (self.network(images).argmax(dim=1) != digits).float().mean().item()

    def save(self, folder: Path) -> None:
        """Writes the whole state into the folder."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "chance": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["chance_on_gpu"] = torch.cuda.get_rng_state(self.device)
        torch.save(state, folder / FILE)

    def load(self, folder: Path) -> None:
        """Takes on the state that `save` wrote, on whatever device that was."""
        state = torch.load(folder / FILE, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["chance"])
        if self.device.type == "cuda" and "chance_on_gpu" in state:
            torch.cuda.set_rng_state(state["chance_on_gpu"], self.device)


def train(trial: Trial) -> None:
    """Trains one set of hyperparameters for as long as the search wants it."""
    digits = read_digits()
    learner = Learner(trial.hparams, seed=trial.seed)
    training, validation, test = map(learner.tensors, (digits.train, digits.validation, digits.test))
    for _ in trial.steps(save=learner.save, load=learner.load):
        learner.fit_one_epoch(*training)
        trial.report(
            validation_error=learner.error(*validation),
            test_accuracy=1.0 - learner.error(*test),
        )
