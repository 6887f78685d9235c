"""How time grows with threads, batch and pixels, and what odd sizes and channel counts cost. Writes docs/scaling.md.

    swift build -c release
    python Benchmarks/scaling.py

All networks are ResNet-50 with the ImageNet stem. Times are medians of a process's repetitions; the ratio of thread
counts is the median over rounds in which both take turns. Needs Python alone.
"""

import argparse
import datetime
import os
import statistics

from alpha import output
from compare import ROOT, processor, require_program

BATCHES = [1, 4, 16, 64, 256]
SIZES = [32, 33, 64, 65, 96, 97, 128, 129, 160, 192, 223, 224, 225]
ALPHAS = ["0", "0.1", "0.125", "0.3", "0.5", "0.77"]
THREADS = 2


def bench(octcli, work, *flags):
    if "--threads" not in flags:
        flags += ("--threads", THREADS)
    result = output([octcli, "bench", work, "--stem", "imagenet", "--json", *map(str, flags)])
    print(work, *flags, f"{result['ms_median']:.1f} ms", flush=True)
    return result


def threads_table(octcli, rounds):
    works = [
        ("training step, 32×32, batch 100, Adam", "train", ["--image-size", 32, "--batch-size", 100]),
        ("training step, 224×224, batch 8, SGD", "train",
         ["--image-size", 224, "--batch-size", 8, "--classes", 1000, "--optimizer", "sgd"]),
        ("inference, 224×224, batch 16", "infer", ["--batch-size", 16]),
        ("inference, 224×224, batch 1", "infer", ["--batch-size", 1]),
    ]
    lines = ["| 1 thread ÷ 2 threads | α = 0 | α = 0.5 |", "|---|---|---|"]
    for title, work, flags in works:
        cells = []
        for alpha in ("0", "0.5"):
            ratios = []
            for _ in range(rounds):
                one, two = (bench(octcli, work, "--alpha", alpha, "--threads", t, *flags)["ms_median"] for t in (1, 2))
                ratios.append(one / two)
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def batch_table(octcli):
    lines = ["| ms an image | " + " | ".join(f"batch {b}" for b in BATCHES) + " |", "|---|" + "---|" * len(BATCHES)]
    for title, work, flags in [("training step, 32×32, SGD", "train", ["--image-size", 32, "--optimizer", "sgd"]),
                               ("inference, 32×32", "infer", ["--image-size", 32]),
                               ("inference, 224×224", "infer", ["--image-size", 224, "--repetitions", 3])]:
        times = [bench(octcli, work, "--alpha", "0.5", "--batch-size", b, *flags)["ms_median"] / b for b in BATCHES]
        lines.append(f"| {title}, α = 0.5 | " + " | ".join(f"{t:.2f}" for t in times) + " |")
    return "\n".join(lines)


def pixel_table(octcli):
    lines = ["| | training step, batch 8, SGD: ms | ns a pixel and image | inference, batch 4: ms | ns a pixel and image |",
             "|---|---|---|---|---|"]
    for size in SIZES:
        train = bench(octcli, "train", "--alpha", "0.5", "--image-size", size, "--batch-size", 8, "--optimizer", "sgd",
                      "--repetitions", 5)["ms_median"]
        infer = bench(octcli, "infer", "--alpha", "0.5", "--image-size", size, "--batch-size", 4,
                      "--repetitions", 9)["ms_median"]
        pixels = size * size / 1e6
        lines.append(f"| {size}×{size} | {train:.1f} | {train / 8 / pixels:.0f} | {infer:.1f} | {infer / 4 / pixels:.0f} |")
    return "\n".join(lines)


def channel_table(octcli):
    lines = ["| | low channels of the stages | inference, batch 16: GFLOP/s | training step, 32×32, batch 100: GFLOP/s |",
             "|---|---|---|---|"]
    for alpha in ALPHAS:
        low = ", ".join(str(int(float(alpha) * c)) for c in (64, 128, 256, 512))
        infer = bench(octcli, "infer", "--alpha", alpha, "--batch-size", 16)["gflops"]
        train = bench(octcli, "train", "--alpha", alpha, "--image-size", 32, "--batch-size", 100)["gflops"]
        lines.append(f"| α = {alpha} | {low} | {infer:.0f} | {train:.0f} |")
    return "\n".join(lines)


def sections(octcli, rounds):
    """The parts of the page, each when it has been measured."""
    yield ("# How time grows\n\nMade by `python Benchmarks/scaling.py`; ResNet-50, ImageNet stem. "
           f"{processor()}, {THREADS} threads where nothing else is said, {datetime.date.today().isoformat()}.\n")
    yield f"## Threads\n\nMedian of {rounds} rounds (smallest–largest).\n\n{threads_table(octcli, rounds)}\n"
    yield f"## Batch\n\n{batch_table(octcli)}\n\nA training step reads and writes all weights however small its batch is.\n"
    yield f"## Pixels, odd sizes\n\nα = 0.5.\n\n{pixel_table(octcli)}\n"
    yield ("## Channel counts that are no multiple of a vector\n\nThe multiplications are counted as in `octcli summary`, taps "
           f"outside the map included.\n\n{channel_table(octcli)}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison of threads")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    options = parser.parse_args()
    require_program(parser, options.octcli)
    # The page of the last sitting stays until all tables are there; those of a sitting that breaks off stay beside it.
    page = os.path.join(options.out, "scaling.md")
    with open(page + ".part", "w") as file:
        for number, section in enumerate(sections(options.octcli, options.rounds)):
            file.write(("\n" if number else "") + section)
            file.flush()
        os.fsync(file.fileno())
    os.replace(page + ".part", page)


if __name__ == "__main__":
    main()
