"""The networks of Temper as PyTorch modules, with the same state-dict names.

They are peers for tests and benchmarks only; Temper never needs Python to run.
"""

from torch import nn


class SmallCNN(nn.Module):
    """The MNIST network of TRADES: images (N, 1, 28, 28) in [0, 1] to logits (N, 10); 312,202 parameters.

    The flattened features are ordered as PyTorch orders them: channel, row, column.
    """

    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(),
            nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(
            nn.Linear(1024, 200), nn.ReLU(),
            nn.Linear(200, 200), nn.ReLU(),
            nn.Linear(200, classes))

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


class MLP(nn.Module):
    """Two hidden layers of 256 and 128 units: images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""

    def __init__(self, classes=10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(),
            nn.Linear(256, 128), nn.ReLU(),
            nn.Linear(128, classes))

    def forward(self, images):
        return self.layers(images.flatten(1))


MODELS = {"small-cnn": SmallCNN, "mlp": MLP}
