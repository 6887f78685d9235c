"""A checkpoint's network in OctNet, and exported by OctNet in ONNX Runtime and OpenVINO, in one sitting, each in turn.

    pip install numpy onnxruntime openvino
    swift build -c release
    python Benchmarks/exported.py --checkpoint runs/first/best.safetensors

Prints a table: milliseconds a pass (the median of the rounds' medians) and how many times OctNet's that is. `compare.py`
measures networks that PyTorch has exported; here both sides come from one file of weights. OctNet runs the network that
the file describes on random numbers, on which its time does not depend.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

from compare import HERE, ROOT, SERVERS, processor, require_program, run, versions
from jsonfile import write_json

FLAGS = {"name": "--model", "alpha": "--alpha", "widthMultiplier": "--width-multiplier", "stem": "--stem",
         "variant": "--variant", "downsampling": "--downsampling", "classes": "--classes"}


def model_of(checkpoint):
    """What the checkpoint says of its network."""
    with open(checkpoint, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata = json.loads(file.read(length)).get("__metadata__", {})
    if "octnet.model" not in metadata:
        sys.exit(f"{checkpoint}: does not say what network it is for; use a checkpoint that octcli wrote")
    return json.loads(metadata["octnet.model"])


def flags(model):
    """The network in flags of octcli bench."""
    words = [word for key, flag in FLAGS.items() if model.get(key) is not None for word in (flag, str(model[key]))]
    for key, flag in (("lowToHigh", "--no-low-to-high"), ("highToLow", "--no-high-to-low")):
        if model.get(key) is False:
            words.append(flag)
    if model.get("keepsMerging"):
        words.append("--keep-merging")
    return words


def time_one(runtime, model, onnx, batch, options):
    common = ["--image-size", str(model["inputHeight"]), "--batch-size", str(batch), "--threads", str(options.threads)]
    if runtime == "octnet":
        return run([options.octcli, "bench", "infer", *flags(model), *common, "--json"])
    return run([sys.executable, os.path.join(HERE, "peer.py"), "infer", "--runtime", runtime, "--onnx", onnx, *common,
                "--seconds", str(options.seconds)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True, help="of a network for square RGB images")
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--norms", choices=["folded", "kept"], default="folded", help="as of octcli export")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of repetitions for each figure of a peer")
    parser.add_argument("--json", help="file for every figure")
    options = parser.parse_args()
    require_program(parser, options.octcli)
    model = model_of(options.checkpoint)
    if model["inputHeight"] != model["inputWidth"] or model["inputChannels"] != 3:
        parser.error("--checkpoint: the peers get square RGB images")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        onnx = os.path.join(folder, "model.onnx")
        subprocess.run([options.octcli, "export", "--checkpoint", options.checkpoint, "--out", onnx, "--norms",
                        options.norms], check=True, stdout=subprocess.DEVNULL)
        for batch in options.batch_sizes:
            times = {}
            for _ in range(options.rounds):
                for runtime in ["octnet", *SERVERS]:
                    result = time_one(runtime, model, onnx, batch, options)
                    if result:
                        times.setdefault(runtime, []).append(result["ms_median"])
            results[batch] = {runtime: statistics.median(found) for runtime, found in times.items()}
    print(f"{model['name']}, α = {model['alpha']}, {model['inputHeight']}×{model['inputWidth']}, "
          f"{options.threads} threads, norms {options.norms}; {processor()}; {versions()}\n")
    print("| batch | OctNet | ONNX Runtime | OpenVINO |\n|---|---|---|---|")
    for batch, times in results.items():
        own = times.get("octnet")
        cells = [f"{own:.2f} ms" if own else "–"]
        for runtime in SERVERS:
            found = times.get(runtime)
            cells.append(f"{found:.2f} ms ({found / own:.2f})" if found and own else "–")
        print(f"| {batch} | {' | '.join(cells)} |")
    if options.json:
        write_json(options.json, {"model": model, "processor": processor(), "versions": versions(), "threads": options.threads,
                                  "norms": options.norms, "ms": results}, sort_keys=True)


if __name__ == "__main__":
    main()
