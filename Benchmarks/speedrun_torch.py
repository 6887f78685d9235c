"""The recipe `speedrun94` in PyTorch, float32 on CPU: what OctNet's is measured against, and the exact definition of it.

    python Benchmarks/speedrun_torch.py CIFAR_DIR --epochs 8 --seed 0

The facts are those of the fastest public training to 94 % on CIFAR-10 (Keller Jordan's airbench94_muon). CIFAR_DIR holds the
files of the binary version. Prints a line an epoch and in the end JSON: accuracy with six views, seconds from the start of
training (images loaded) to that score, evaluations between epochs not counted.
"""

import argparse
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)
BATCH = 2000


def read(folder, names):
    raw = np.concatenate([np.fromfile(f"{folder}/{name}", np.uint8).reshape(-1, 3073) for name in names])
    images = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
    return (images - MEAN) / DEVIATION, torch.from_numpy(raw[:, 0].astype(np.int64))


class Norm(nn.BatchNorm2d):
    """No scale; running statistics are 0.6 old + 0.4 new."""

    def __init__(self, channels):
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


def conv(inputs, outputs):
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


class Net(nn.Module):
    def __init__(self, widths=(64, 256, 256)):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        layers, inputs = [nn.GELU()], 24
        for width in widths:
            layers += [conv(inputs, width), nn.MaxPool2d(2), Norm(width), nn.GELU(), conv(width, width), Norm(width), nn.GELU()]
            inputs = width
        self.body = nn.Sequential(*layers, nn.MaxPool2d(3))
        self.head = nn.Linear(inputs, 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def set_whitening(self, images):
        self.whiten.weight.data[:] = whitening(images)

    def forward(self, x, train_bias=True):
        bias = self.whiten.bias if train_bias else self.whiten.bias.detach()
        y = self.body(F.conv2d(x, self.whiten.weight, bias)).flatten(1)
        return self.head(y) / y.shape[1]


def whitening(images):
    """The first filters, and their negatives."""
    patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
    value, vector = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vector.T / torch.sqrt(value[:, None] + 5e-4)).view(12, 3, 2, 2)
    return torch.cat([filters, -filters])


def orthogonal(g):
    """Three Newton–Schulz steps."""
    x = g / (g.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


def muon(p, velocity, gradient, rate):
    """An update of filters."""
    velocity.mul_(0.6).add_(gradient)
    g = gradient + 0.6 * velocity
    p.mul_(len(p) ** 0.5 / p.norm())
    p.sub_(rate * orthogonal(g.reshape(len(g), -1)).view_as(p))


def both(net, x):
    """Two views: the image and its mirror image."""
    return 0.5 * net(x) + 0.5 * net(x.flip(-1))


def views(net, x):
    """Six: both in the centre and with two shifts."""
    padded = F.pad(x, (1,) * 4, "reflect")
    return 0.5 * both(net, x) + 0.25 * both(net, padded[..., :32, :32]) + 0.25 * both(net, padded[..., 2:, 2:])


@torch.no_grad()
def accuracy(predict, images, truth):
    right = sum((predict(images[i:i + BATCH]).argmax(1) == truth[i:i + BATCH]).sum().item() for i in range(0, len(truth), BATCH))
    return right / len(truth)


def train(options):
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    layout = torch.channels_last if options.layout == "channels-last" else torch.contiguous_format
    images, labels = read(options.data, [f"data_batch_{i}.bin" for i in range(1, 6)])
    test, truth = read(options.data, ["test_batch.bin"])
    start = time.time()
    net = Net().to(memory_format=layout)
    net.set_whitening(images[:5000])
    run = torch.compile(net) if options.compile else net
    flip = torch.rand(len(images)) < 0.5
    images[flip] = images[flip].flip(-1)
    padded = F.pad(images, (2,) * 4, "reflect")
    del images
    per_epoch = len(labels) // BATCH
    # 4.4 epochs of 25 batches are 110 steps, not the 111 of 4.4 · 25 = 110.00000000000001.
    total, bias_steps, decay = math.ceil(options.epochs * per_epoch - 1e-9), 3 * per_epoch, 2e-6 * BATCH
    filters = [p for p in net.parameters() if p.ndim == 4 and p.requires_grad]
    velocity = [torch.zeros_like(p) for p in filters]
    norms = [m.bias for m in net.modules() if isinstance(m, Norm)]
    sgd = torch.optim.SGD(
        [{"params": [net.whiten.bias], "lr": 0.053, "weight_decay": decay / 0.053},
         {"params": norms, "lr": 0.053, "weight_decay": decay / 0.053},
         {"params": [net.head.weight], "lr": 0.67, "weight_decay": decay / 0.67}], momentum=0.85, nesterov=True)
    rates, step, curve = [g["lr"] for g in sgd.param_groups], 0, []
    for epoch in range(math.ceil(total / per_epoch)):
        net.train()
        order = torch.randperm(len(labels))
        dy, dx = torch.randint(0, 5, (2, len(labels)))
        for k in range(per_epoch):
            chosen = order[k * BATCH:(k + 1) * BATCH]
            x = torch.stack([padded[j, :, dy[j]:dy[j] + 32, dx[j]:dx[j] + 32] for j in chosen.tolist()])
            if epoch % 2:
                x = x.flip(-1)
            y = run(x.to(memory_format=layout), step < bias_steps)
            loss = F.cross_entropy(y, labels[chosen], label_smoothing=0.2, reduction="sum")
            net.zero_grad(set_to_none=False)
            loss.backward()
            left = 1 - step / total
            for n, group in enumerate(sgd.param_groups):
                group["lr"] = rates[n] * (max(0, 1 - step / bias_steps) if n == 0 else left)
            with torch.no_grad():
                for p, v in zip(filters, velocity):
                    muon(p, v, p.grad, 0.24 * left)
            sgd.step()
            step += 1
            if step == total:
                break
        spent = time.time() - start
        net.eval()
        curve.append({"seconds": spent, "accuracy": accuracy(net, test, truth)})
        print(f"epoch {epoch + 1} step {step}/{total} loss {loss.item() / BATCH:.4f} "
              f"test {100 * curve[-1]['accuracy']:.2f} %  {spent:.0f} s", flush=True)
        start = time.time() - spent
    score = accuracy(lambda x: views(net, x), test, truth)
    print(json.dumps({"accuracy": score, "seconds": time.time() - start, "curve": curve}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", metavar="CIFAR_DIR")
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=["contiguous", "channels-last"], default="channels-last")
    parser.add_argument("--compile", action="store_true", help="by torch.compile, whose compiling counts")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
