"""The recipe `photographs` at α = 0 in PyTorch and torchvision, for a real run beside OctNet's (docs/photographs.md).

    pip install torch torchvision pillow
    python Benchmarks/photographs_torch.py DIR --image-size 64 --epochs 10 --limit-train 10000 --seed 1

DIR/train/CLASS/* and DIR/test/CLASS/* are files of images. Everything is torchvision's own: ImageFolder, RandomResizedCrop,
RandomHorizontalFlip, TrivialAugmentWide, resnet18. Prints one line of JSON for each epoch: the averaged weights' score on the test
images, and the seconds of training so far, without evaluations.
"""

import argparse
import copy
import json
import math
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, models, transforms

RATE, MOMENTUM, DECAY, SMOOTHING, SCALE, CROP_RATIO = 0.05, 0.9, 1e-4, 0.1, (0.25, 1), 0.875


def first_of_each_class(folder, count):
    """The first files of each class by name, `count` in all; as --limit-train."""
    if count is None:
        return folder
    share, taken, indices = count // len(folder.classes), {}, []
    for index, (_, label) in enumerate(folder.samples):
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= share:
            indices.append(index)
    return Subset(folder, indices)


def loaders(options):
    finish = [transforms.ToTensor(), transforms.Normalize(options.mean, options.std)]
    train = datasets.ImageFolder(f"{options.directory}/train", transforms.Compose([
        transforms.RandomResizedCrop(options.image_size, scale=SCALE), transforms.RandomHorizontalFlip(),
        transforms.TrivialAugmentWide(), *finish]))
    test = datasets.ImageFolder(f"{options.directory}/test", transforms.Compose([
        transforms.Resize(int(options.image_size / CROP_RATIO)), transforms.CenterCrop(options.image_size), *finish]))
    common = {"num_workers": options.workers, "persistent_workers": options.workers > 0}
    return (DataLoader(first_of_each_class(train, options.limit_train), options.batch_size, shuffle=True, **common),
            DataLoader(first_of_each_class(test, options.limit_test), 250, **common), len(train.classes))


def rate(step, steps_per_epoch, options):
    """Linear warm-up to RATE, then a cosine to 0, for each step."""
    warmup, total = options.warmup_epochs * steps_per_epoch, options.epochs * steps_per_epoch
    if step < warmup:
        return RATE * (step + 1) / warmup
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


@torch.no_grad()
def average(ema, network, decay):
    for mean, value in zip(ema.state_dict().values(), network.state_dict().values()):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


@torch.no_grad()
def score(network, loader):
    network.eval()
    right = count = 0
    for images, labels in loader:
        right += (network(images.contiguous(memory_format=torch.channels_last)).argmax(1) == labels).sum().item()
        count += len(labels)
    return right / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--warmup-epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--limit-train", type=int)
    parser.add_argument("--limit-test", type=int)
    parser.add_argument("--mean", type=float, nargs=3, default=[0.485, 0.456, 0.406])
    parser.add_argument("--std", type=float, nargs=3, default=[0.229, 0.224, 0.225])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that load images")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    train, test, classes = loaders(options)
    network = models.resnet18(num_classes=classes).to(memory_format=torch.channels_last)
    ema = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}],
                                lr=RATE, momentum=MOMENTUM, nesterov=True)
    loss_function = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    step, seconds = 0, 0.0
    for epoch in range(options.epochs):
        network.train()
        begin, total = time.perf_counter(), 0.0
        for images, labels in train:
            for group in optimizer.param_groups:
                group["lr"] = rate(step, len(train), options)
            optimizer.zero_grad()
            loss = loss_function(network(images.contiguous(memory_format=torch.channels_last)), labels)
            loss.backward()
            optimizer.step()
            average(ema, network, options.ema)
            total += loss.item()
            step += 1
        seconds += time.perf_counter() - begin
        print(json.dumps({"epoch": epoch + 1, "seconds": round(seconds, 1), "train_loss": round(total / len(train), 4),
                          "test_top1": score(ema, test)}), flush=True)


if __name__ == "__main__":
    main()
