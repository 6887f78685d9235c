"""The recipe `speedrun94` in OctNet and in PyTorch, run after run in turn, and octave networks beside the plain one.

    pip install torch numpy
    swift build -c release
    python Benchmarks/speedrun.py --data CIFAR_DIR --seeds 0 1 2
    python Benchmarks/speedrun.py --draw

CIFAR_DIR holds the files of CIFAR-10's binary version. Each finished run is written to docs/speedrun.json at once, and what
stands there is not run again, so hours of it may be cut in sittings; times are compared within a sitting only. Then writes
docs/speedrun.md and docs/speedrun.svg (speedrun_page.py): accuracy over seconds. --draw only does that again.
"""

import argparse
import csv
import datetime
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile

from compare import HERE, ROOT, processor, require_program, run as json_of, versions
from jsonfile import write_json
from speedrun_page import KEYS, identity, write_page

# Of --pytorch: layout of maps, and whether the network goes through torch.compile.
VARIANTS = {"contiguous": ("contiguous", False), "channels-last": ("channels-last", False), "compile": ("contiguous", True),
            "compile-channels-last": ("channels-last", True)}
CACHES = {"l1Bytes": "L1", "l2Bytes": "L2", "l3Bytes": "shared L3"}


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
        with open(os.path.join(out, "results.json")) as file:
            accuracy = json.load(file)["last"]["evaluation"]["top1"]
        with open(os.path.join(out, "log.csv")) as log, open(os.path.join(out, "timing.csv")) as timing:
            rows = [epoch | times for epoch, times in zip(csv.DictReader(log), csv.DictReader(timing), strict=True)]
    if not rows[-1].get("seconds_to_score"):
        sys.exit(f"{options.octcli} writes no seconds_to_score into timing.csv; build it anew")
    curve, spent = [], 0.0
    for row in rows:
        spent += float(row["seconds"])
        if row["test_top1"]:
            curve.append({"seconds": spent, "accuracy": float(row["test_top1"])})
    return {"accuracy": accuracy, "seconds": float(rows[-1]["seconds_to_score"]), "curve": curve}


def pytorch(options, layout, compiles, seed):
    command = [sys.executable, os.path.join(HERE, "speedrun_torch.py"), options.data, "--epochs", f"{options.epochs:g}",
               "--seed", str(seed), "--threads", str(options.threads), "--layout", layout, *(["--compile"] if compiles else [])]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout.strip().split("\n")[-1])


def kernels(options):
    """What `octcli bench kernels` finds, in some seconds."""
    found = json_of([options.octcli, "bench", "kernels", "--repetitions", "3", "--threads", str(options.threads), "--json"])
    return found or sys.exit("octcli bench kernels failed")


def network(options, alpha):
    """Multiply–accumulates of an image's forward pass, and those of the first layer, whose weights are frozen."""
    found = json_of([options.octcli, "summary", "--model", "airbench94", "--alpha", alpha, "--json"])
    if not found:
        sys.exit("octcli summary failed")
    return {"macs": found["macs"], "first": next(s["macs"] for s in found["stages"] if s["name"] == "stem")}


def commit():
    """Of the sources beside this script, with "-dirty" where they were changed; None outside a repository."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()

    name = git("rev-parse", "--short=12", "HEAD")
    # The page that this script writes is no change of what it measures.
    changed = name and git("status", "--porcelain", "--", "Package.swift", "Sources", "Benchmarks")
    return (name + "-dirty" if changed else name) or None


def fingerprint(program):
    """The start of its SHA-256: which build it is, whatever became of the sources since."""
    with open(program, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def save(report, folder):
    write_json(os.path.join(folder, "speedrun.json"), report, sort_keys=True)
    write_page(report, folder)


def begin_sitting(report, options):
    # Which sources and which program is asked once: others may commit during hours of runs, which changes nothing of these.
    sitting = {"date": datetime.date.today().isoformat(), "commit": commit(), "program": fingerprint(options.octcli)}
    found = kernels(options)
    sizes = ", ".join(f"{found['machine'][key] >> 10} KiB of {name}" for key, name in CACHES.items())
    report["sittings"].append(sitting | {"processor": processor(), "caches": sizes, "threads": options.threads,
                                         "versions": versions(), "remark": options.remark,
                                         "peaks": [options.peak or found["peak"]]})


def jobs(options, report):
    """What is wanted and not there: runs without their results, seed by seed in turn."""
    place = {"epochs": options.epochs, "threads": options.threads, "processor": processor()}
    kinds = [{"name": alpha, "layout": None, "compile": None} for alpha in options.alphas]
    kinds += [{"name": "pytorch", "layout": VARIANTS[v][0], "compile": VARIANTS[v][1]} for v in options.pytorch]
    done = {(identity(run), run["seed"]) for run in report["runs"]}
    wanted = [kind | place | {"seed": seed} for seed in options.seeds for kind in kinds]
    return [run for run in wanted if (identity(run), run["seed"]) not in done]


def measure(report, options):
    todo = jobs(options, report)
    if not todo:
        return
    begin_sitting(report, options)
    for run in todo:
        name = run["name"]
        alpha = "0" if name == "pytorch" else name
        report["networks"].setdefault(alpha, network(options, alpha))
        run |= {"date": datetime.date.today().isoformat(), "sitting": len(report["sittings"])}
        run |= pytorch(options, run["layout"], run["compile"], run["seed"]) if name == "pytorch" else octnet(options, name, run["seed"])
        report["runs"].append(run)
        print(f"{name} seed {run['seed']}: {100 * run['accuracy']:.2f} %, {run['seconds']:.0f} s", flush=True)
        save(report, options.out)
    if not options.peak:
        report["sittings"][-1]["peaks"].append(kernels(options)["peak"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", metavar="CIFAR_DIR")
    parser.add_argument("--draw", action="store_true", help="only make the page and the chart of docs/speedrun.json again")
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--alphas", nargs="*", type=float, default=[0, 0.125, 0.25, 0.5])
    parser.add_argument("--pytorch", nargs="*", choices=list(VARIANTS), default=["channels-last"], metavar="VARIANT",
                        help=f"{', '.join(VARIANTS)}; none for OctNet alone (default: channels-last)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", type=float, metavar="GFLOPS",
                        help="of the multiply–add units (default: octcli bench kernels, before and after the sitting)")
    parser.add_argument("--remark", default="", help="what is particular to this sitting, such as where the images come from")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    options = parser.parse_args()
    path = os.path.join(options.out, "speedrun.json")
    report = {"sittings": [], "runs": [], "networks": {}}
    if os.path.exists(path):
        with open(path) as file:
            report = json.load(file)
    earlier = [key for key in KEYS for run in report["runs"] if key not in run]
    if earlier:
        parser.error(f"{path} is an earlier version's: runs without {', '.join(dict.fromkeys(earlier))}")
    if not options.draw:
        if not options.data:
            parser.error("--data is needed, but with --draw")
        if options.peak is not None and not (options.peak > 0 and math.isfinite(options.peak)):
            parser.error(f"--peak: expected GFLOP/s above 0, found {options.peak}")
        require_program(parser, options.octcli)
        options.alphas = [f"{alpha:g}" for alpha in options.alphas]
        measure(report, options)
    if not report["runs"]:
        parser.error(f"{path} holds no runs")
    save(report, options.out)


if __name__ == "__main__":
    main()
