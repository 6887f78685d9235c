"""The recipe `speedrun94` in OctNet and in PyTorch, run after run in turn, and octave networks beside the plain one.

    pip install torch numpy
    swift build -c release
    python Benchmarks/speedrun.py --data CIFAR_DIR --seeds 0 1 2

CIFAR_DIR holds the files of CIFAR-10's binary version. Each finished run is written to docs/speedrun.json at once, and what
stands there is not run again, so hours of it may be cut in sittings; times are compared within a sitting only. Then writes
docs/speedrun.md and docs/speedrun.svg: accuracy over seconds.
"""

import argparse
import csv
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from compare import HERE, ROOT, caches, processor, require_program, versions

COLORS = {"pytorch": "#888888", "0": "#1d4e89", "0.125": "#2a9d8f", "0.25": "#e9a23b", "0.5": "#c8553d"}


def octnet(options, alpha, seed):
    """Accuracy with six views, seconds to it, and both after each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        result = subprocess.run(
            [options.octcli, "train", "--recipe", "speedrun94", "--data", f"cifar10:{options.data}", "--alpha", alpha,
             "--seed", str(seed), "--epochs", f"{options.epochs:g}", "--threads", str(options.threads), "--out", out],
            capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(result.stderr)
        seconds = float(re.search(r"([\d.]+) s from the start of training", result.stdout + result.stderr).group(1))
        with open(os.path.join(out, "results.json")) as file:
            accuracy = json.load(file)["last"]["evaluation"]["top1"]
        curve, spent = [], 0.0
        with open(os.path.join(out, "log.csv")) as log, open(os.path.join(out, "timing.csv")) as timing:
            for row, time in zip(csv.DictReader(log), csv.DictReader(timing)):
                spent += float(time["seconds"])
                if row["test_top1"]:
                    curve.append({"seconds": spent, "accuracy": float(row["test_top1"])})
    return {"accuracy": accuracy, "seconds": seconds, "curve": curve}


def pytorch(options, seed):
    command = [sys.executable, os.path.join(HERE, "speedrun_torch.py"), options.data, "--epochs", f"{options.epochs:g}",
               "--seed", str(seed), "--threads", str(options.threads), "--layout", options.layout, *(["--compile"] if options.compile else [])]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout.strip().split("\n")[-1])


def mean(values):
    """With the sample's deviation, where there is more than one."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def table(runs):
    lines = ["| | epochs | seeds | accuracy, six views, % | seconds | sitting |", "|---|---|---|---|---|---|"]
    for name in sorted({(r["name"], r["epochs"], r["sitting"]) for r in runs}):
        mine = [r for r in runs if (r["name"], r["epochs"], r["sitting"]) == name]
        title = "PyTorch" if name[0] == "pytorch" else f"OctNet, α = {name[0]}"
        lines.append(f"| {title} | {name[1]:g} | {len(mine)} | {mean([100 * r['accuracy'] for r in mine])} | "
                     f"{statistics.mean(r['seconds'] for r in mine):.0f} | {name[2]} |")
    return "\n".join(lines)


def chart(runs):
    """The curve of the first seed of each network."""
    width, height, left, top = 620, 320, 56, 34
    first = {r["name"]: r for r in sorted(runs, key=lambda r: -r["seed"])}
    longest = max(r["seconds"] for r in first.values())
    x = lambda s: left + s / longest * (width - left - 24)
    y = lambda a: top + (0.96 - a) / 0.46 * (height - top - 40)
    parts = []
    for percent in (50, 60, 70, 80, 90, 94):
        dash = ' stroke-dasharray="4 3"' if percent == 94 else ""
        parts.append(f'<line x1="{left}" x2="{width - 24}" y1="{y(percent / 100):.0f}" y2="{y(percent / 100):.0f}" stroke="#ccc"{dash}/>'
                     f'<text x="{left - 8}" y="{y(percent / 100) + 4:.0f}" text-anchor="end">{percent} %</text>')
    for i in range(5):
        seconds = longest * i / 4
        parts.append(f'<text x="{x(seconds):.0f}" y="{height - 20}" text-anchor="middle">{seconds:.0f}</text>')
    for i, name in enumerate(n for n in COLORS if n in first):
        run = first[name]
        places = run["curve"][:-1] + [{"seconds": run["seconds"], "accuracy": run["accuracy"]}]
        points = " ".join(f"{x(p['seconds']):.1f},{y(max(p['accuracy'], 0.5)):.1f}" for p in places)
        title = "PyTorch" if name == "pytorch" else f"OctNet, α = {name}"
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[name]}" stroke-width="2"/>'
                     f'<line x1="{left}" x2="{left + 24}" y1="{height + 14 + 18 * i}" y2="{height + 14 + 18 * i}" '
                     f'stroke="{COLORS[name]}" stroke-width="2"/><text x="{left + 32}" y="{height + 18 + 18 * i}">{title}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 24 + 18 * len(first)}" '
            'font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/>'
            '<text x="12" y="20" font-weight="bold">CIFAR-10: accuracy over seconds of training</text>'
            f'<text x="{width / 2:.0f}" y="{height - 4}" text-anchor="middle">seconds</text>' + "".join(parts) + "</svg>\n")


def write(report, folder):
    with open(os.path.join(folder, "speedrun.json"), "w") as file:
        json.dump(report, file, indent=1, sort_keys=True)
        file.write("\n")
    runs = report["runs"]
    if not runs:
        return
    sittings = "\n".join(f"- {number}: {s['processor']}, {s['caches']}, {s['threads']} threads, {s['date']}; "
                         + ", ".join(f"{name} {version}" for name, version in s["versions"].items())
                         + (f". {s['remark']}" if s.get("remark") else "")
                         for number, s in enumerate(report["sittings"], 1))
    with open(os.path.join(folder, "speedrun.md"), "w") as file:
        file.write("# 94 % on CIFAR-10\n\n![accuracy over seconds](speedrun.svg)\n\n"
                   "Made by `python Benchmarks/speedrun.py`: `octcli train --recipe speedrun94` and the same recipe in PyTorch\n"
                   "(`Benchmarks/speedrun_torch.py`), in turn. Seconds are from the start of training, images loaded, to the score with\n"
                   "six views; evaluations between epochs do not count. ± is the deviation of the seeds. Compare seconds within a sitting.\n\n"
                   + table(runs) + "\n\nSittings:\n\n" + sittings + "\n")
    with open(os.path.join(folder, "speedrun.svg"), "w") as file:
        file.write(chart(runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, metavar="CIFAR_DIR")
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--alphas", nargs="*", default=["0", "0.125", "0.25", "0.5"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=["contiguous", "channels-last"], default="channels-last", help="of PyTorch's maps")
    parser.add_argument("--compile", action="store_true", help="PyTorch's network by torch.compile")
    parser.add_argument("--no-pytorch", action="store_true")
    parser.add_argument("--remark", default="", help="what is particular to this sitting, such as where the images come from")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    options = parser.parse_args()
    require_program(parser, options.octcli)
    path = os.path.join(options.out, "speedrun.json")
    report = {"sittings": [], "runs": []}
    if os.path.exists(path):
        with open(path) as file:
            report = json.load(file)
    done = {(r["name"], r["epochs"], r["seed"]) for r in report["runs"]}
    jobs = [(name, seed) for seed in options.seeds for name in [*options.alphas, *([] if options.no_pytorch else ["pytorch"])]
            if (name, options.epochs, seed) not in done]
    if jobs:
        report["sittings"].append({"date": datetime.date.today().isoformat(), "processor": processor(),
                                   "caches": caches(options.octcli), "threads": options.threads, "versions": versions(),
                                   "remark": options.remark})
    for name, seed in jobs:
        run = pytorch(options, seed) if name == "pytorch" else octnet(options, name, seed)
        report["runs"].append(run | {"name": name, "seed": seed, "epochs": options.epochs, "sitting": len(report["sittings"])})
        print(f"{name} seed {seed}: {100 * run['accuracy']:.2f} %, {run['seconds']:.0f} s", flush=True)
        write(report, options.out)
    write(report, options.out)


if __name__ == "__main__":
    main()
