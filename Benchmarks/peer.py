"""Times one peer on one piece of work, in a process of its own, and prints one JSON object.

    peer.py train --runtime torch-eager --alpha 0.125 --image-size 32 --batch-size 100
    peer.py export --alpha 0.5 --image-size 224 --batch-size 16 --onnx FILE
    peer.py infer --runtime openvino --onnx FILE --image-size 224 --batch-size 16

The process that runs ONNX Runtime or OpenVINO loads nothing else, so that its memory is theirs.
"""

import argparse
import json
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH_RUNTIMES = ["torch-eager", "torch-channels-last", "torch-compile"]


def measure(run, seconds):
    """Milliseconds of each repetition: at least five, and as many as fit; two more before them do not count."""
    for _ in range(2):
        run()
    times = []
    while len(times) < 5 or sum(times) < seconds * 1e3:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


def network(arguments):
    """The same network as OctNet's: same keys, same shapes, same multiplications."""
    import torch

    sys.path.insert(0, os.path.join(HERE, "..", "Tools", "fixtures"))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    name, alpha, classes, stem = arguments.model, arguments.alpha, arguments.classes, arguments.stem
    downsampling = "strided" if alpha == 0 else "average"
    if alpha == 0 and name in ("densenet121", "mobilenet_v2", "resnext50_32x4d"):
        import torchvision

        return getattr(torchvision.models, name)(num_classes=classes)
    if name in ("mobilenet_v1", "mobilenet_v2", "densenet121"):
        import octmobile

        if name == "densenet121":
            return octmobile.DenseNet(alpha, [6, 12, 24, 16], stem=stem, classes=classes)
        kind = octmobile.MobileNetV1 if name == "mobilenet_v1" else octmobile.MobileNetV2
        return kind(alpha, stem=stem, classes=classes)
    if name in ("resnext50_32x4d", "seresnet50v2"):
        from octfamilies import ResidualNet

        kind = dict(width=128, groups=32) if name == "resnext50_32x4d" else dict(squeezes=True, pre_activation=True)
        return ResidualNet(blocks=[3, 4, 6, 3], alpha=alpha, classes=classes, stem=stem, variant="paper",
                           downsampling=downsampling, low_to_high=True, high_to_low=True,
                           activation=torch.nn.functional.relu, **kind)
    from octresnet import OctResNet

    return OctResNet(name, alpha=alpha, classes=classes, stem=stem, downsampling=downsampling)


def images(arguments):
    import numpy

    shape = (arguments.batch_size, 3, arguments.image_size, arguments.image_size)
    return numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)


def torch_step(arguments):
    import torch

    model, x = network(arguments), torch.from_numpy(images(arguments))
    if arguments.runtime != "torch-eager":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run = torch.compile(model) if arguments.runtime == "torch-compile" else model
    if arguments.work == "infer":
        model.eval()

        def infer():
            with torch.no_grad():
                run(x)

        return infer
    model.train()
    labels = torch.randint(0, arguments.classes, (arguments.batch_size,))
    if arguments.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    else:
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, weight_decay=5e-4)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(run(x), labels).backward()
        optimizer.step()

    return step


def onnxruntime_pass(arguments):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(arguments.onnx, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images(arguments)}
    return lambda: session.run(None, feed)


def openvino_pass(arguments):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": arguments.threads, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(arguments.onnx, "CPU", settings).create_infer_request()
    x = images(arguments)
    return lambda: request.infer({0: x})


def export(arguments):
    import torch

    model, x = network(arguments).eval(), torch.from_numpy(images(arguments))
    torch.onnx.export(model, (x,), arguments.onnx, dynamo=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", choices=["train", "infer", "export"])
    parser.add_argument("--runtime", choices=[*TORCH_RUNTIMES, "onnxruntime", "openvino"])
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--alpha", type=float, default=0.0)
    parser.add_argument("--stem", default="imagenet")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--onnx")
    arguments = parser.parse_args()
    if arguments.work == "export":
        return export(arguments)
    make = {"onnxruntime": onnxruntime_pass, "openvino": openvino_pass}.get(arguments.runtime, torch_step)
    times = measure(make(arguments), arguments.seconds)
    print(json.dumps({
        "ms_median": times[len(times) // 2],
        "ms_minimum": times[0],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
