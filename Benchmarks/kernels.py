"""OctNet's convolution kernels beside PyTorch's (oneDNN), shape by shape, in turn; prints a Markdown table.

    swift build -c release
    python Benchmarks/kernels.py --rounds 3

A round runs `octcli bench kernels` and then PyTorch on the same shapes, channels last. Figures are medians over the
rounds of each program's medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from compare import instruction_set, require_program

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PASSES = ["forward", "backward-data", "backward-weights"]


def median_milliseconds(run, repetitions):
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def parse(shape):
    """Images, size, input channels, output channels, kernel and groups of "16,56,128,128,3,g32"."""
    numbers = [int(part.lstrip("g")) for part in shape.split(",")]
    return numbers if len(numbers) == 6 else [*numbers, 1]


def time_torch(shapes, threads, repetitions):
    """{shape: {pass: ms}}."""
    import torch

    torch.set_num_threads(threads)
    table = {}
    for shape in shapes:
        n, size, inputs, outputs, kernel, groups = parse(shape)
        padding = kernel // 2
        last = {"memory_format": torch.channels_last}
        x = torch.randn(n, inputs, size, size).to(**last)
        w = torch.randn(outputs, inputs // groups, kernel, kernel).to(**last)
        g = torch.randn_like(torch.nn.functional.conv2d(x, w, padding=padding, groups=groups))

        def backward(mask):
            return torch.ops.aten.convolution_backward(
                g, x, w, None, [1, 1], [padding, padding], [1, 1], False, [0, 0], groups, mask)

        with torch.no_grad():
            table[shape] = {
                "forward": median_milliseconds(
                    lambda: torch.nn.functional.conv2d(x, w, padding=padding, groups=groups), repetitions),
                "backward-data": median_milliseconds(lambda: backward([True, False, False]), repetitions),
                "backward-weights": median_milliseconds(lambda: backward([False, True, False]), repetitions),
            }
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--torch-only", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--isa", choices=["portable", "avx2"], help="cap the instruction set of both programs")
    options = parser.parse_args()
    os.environ.update(instruction_set(options.isa))
    if options.torch_only:
        return print(json.dumps(time_torch(options.torch_only, options.threads, options.repetitions)))

    require_program(parser, options.octcli)
    ours, theirs, peaks, bandwidths = {}, {}, [], []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        report = json.loads(subprocess.run(
            [options.octcli, "bench", "kernels", "--threads", str(options.threads), "--repetitions",
             str(options.repetitions), "--json"], check=True, capture_output=True, text=True).stdout)
        peaks.append(report["peak"])
        bandwidths.append(report["bandwidth"])
        for row in report["shapes"]:
            for timing in row["timings"]:
                ours.setdefault((row["shape"], timing["pass"]), []).append(timing["milliseconds"])
        shapes = [row["shape"] for row in report["shapes"]]
        torch = json.loads(subprocess.run(
            [sys.executable, __file__, "--threads", str(options.threads), "--repetitions", str(options.repetitions),
             "--torch-only", *shapes], check=True, capture_output=True, text=True).stdout)
        for shape, passes in torch.items():
            for name, value in passes.items():
                theirs.setdefault((shape, name), []).append(value)

    peak = statistics.median(peaks)
    print(f"Peak {peak:.1f} GFLOP/s, memory {statistics.median(bandwidths):.1f} GB/s, {options.threads} threads. Each "
          "cell: OctNet's GFLOP/s (of the peak), GB/s of maps and weights counted once, PyTorch's time ÷ OctNet's.\n")
    print("| shape | " + " | ".join(PASSES) + " |\n|---|" + "---|" * len(PASSES))
    for shape in shapes:
        n, size, inputs, outputs, kernel, groups = parse(shape)
        weights = inputs // groups * outputs * kernel * kernel
        operations = 2e-6 * n * size * size * weights
        cells = []
        for name in PASSES:
            milliseconds = statistics.median(ours[shape, name])
            gflops = operations / milliseconds
            ratio = statistics.median(theirs[shape, name]) / milliseconds
            floats = n * size * size * (inputs + outputs) + weights
            cells.append(f"{gflops:.0f} ({100 * gflops / peak:.0f} %), {4e-6 * floats / milliseconds:.0f} GB/s, "
                         f"×{ratio:.2f}")
        print(f"| {n} × {size}², {inputs} → {outputs}, {kernel}×{kernel}"
              + (f", {groups} groups" if groups > 1 else "") + " | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
