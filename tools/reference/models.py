"""The networks of Temper as PyTorch modules, with the same state-dict names.

They are peers for tests and benchmarks only; Temper never needs Python to run.
"""

import torch
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


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input or to a 1x1 convolution of it."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride=stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for 32 x 32 images with the names of kuangliu/pytorch-cifar; `width` multiplies the channels."""

    def __init__(self, classes=10, width=1.0):
        super().__init__()
        widths = [max(1, round(n * width)) for n in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        channels = widths[0]
        for stage, filters in enumerate(widths):
            blocks = []
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(BasicBlock(channels, filters, stride))
                channels = filters
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(channels, classes)

    def forward(self, images):
        x = torch.relu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean(dim=(2, 3)))


MODELS = {"small-cnn": SmallCNN, "mlp": MLP, "resnet18": ResNet18}
