"""OctNet beside PyTorch, ONNX Runtime and OpenVINO: the same networks, in one sitting, each in turn.

    pip install torch onnx onnxruntime openvino
    swift build -c release
    python Benchmarks/compare.py

Writes docs/benchmarks.json (every figure), docs/benchmarks.md (the tables) and docs/benchmarks.svg (the ratios).
Every figure is the median of its process's repetitions; with --rounds the median of the rounds' medians, the runtimes
taking turns in each round. What is not measured now, or fails, keeps its earlier figure, which says in what its sitting was
another; where something failed, the script ends with 1. Takes about twenty minutes a round on two cores, most of it
torch.compile's compiling.
"""

import argparse
import datetime
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

from jsonfile import write_json
from report import SITTING, write_report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
ALPHAS = [0.0, 0.125, 0.5]
WORKS = [
    {"name": "train-32-imagenet", "title": "training step, 32×32, ImageNet stem, batch 100, Adam", "work": "train",
     "stem": "imagenet", "size": 32, "batch": 100, "classes": 10, "optimizer": "adam"},
    {"name": "train-32-cifar", "title": "training step, 32×32, CIFAR stem, batch 64, Adam", "work": "train",
     "stem": "cifar", "size": 32, "batch": 64, "classes": 10, "optimizer": "adam"},
    {"name": "train-224", "title": "training step, 224×224, batch 8, SGD", "work": "train",
     "stem": "imagenet", "size": 224, "batch": 8, "classes": 1000, "optimizer": "sgd"},
    {"name": "infer-16", "title": "inference, 224×224, batch 16", "work": "infer",
     "stem": "imagenet", "size": 224, "batch": 16, "classes": 1000},
    {"name": "infer-1", "title": "inference, 224×224, batch 1", "work": "infer",
     "stem": "imagenet", "size": 224, "batch": 1, "classes": 1000},
]
TRAINERS = ["torch-eager", "torch-channels-last", "torch-compile"]
SERVERS = ["onnxruntime", "openvino"]


def run(command):
    """The last line of what the command prints, as JSON; None, with the reason on stderr, where it fails."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        print(f"failed: {' '.join(command)}\n{result.stderr[-2000:]}", file=sys.stderr)
        return None
    text = result.stdout[result.stdout.index("{"):]
    return json.loads(text)


def instruction_set(cap):
    """Environment variables under which OctNet, PyTorch and OpenVINO use no more than an instruction set; ONNX Runtime has none."""
    if cap is None:
        return {}
    onednn = {"avx2": "AVX2", "portable": "SSE41"}[cap]
    return {"OCTNET_MAX_ISA": cap, "ATEN_CPU_CAPABILITY": "avx2" if cap == "avx2" else "default",
            "ONEDNN_MAX_CPU_ISA": onednn, "DNNL_MAX_CPU_ISA": onednn}


def common(work, alpha, threads):
    return ["--model", work.get("model", "resnet50"), "--alpha", str(alpha), "--stem", work["stem"], "--image-size", str(work["size"]), "--batch-size",
            str(work["batch"]), "--classes", str(work["classes"]), "--threads", str(threads)]


def time_one(runtime, work, alpha, options, onnx):
    arguments = common(work, alpha, options.threads)
    if work["work"] == "train":
        arguments += ["--optimizer", work["optimizer"]]
    if runtime == "octnet":
        return run([options.octcli, "bench", work["work"], *arguments, "--json"])
    if runtime in SERVERS:
        arguments += ["--onnx", onnx]
    return run([sys.executable, os.path.join(HERE, "peer.py"), work["work"], "--runtime", runtime, *arguments,
                "--seconds", str(options.seconds)])


def compare(work, alpha, options, folder):
    """{runtime: {ms, rss}} of one row and column of the table, with `rounds` where some failed, and how many did in all."""
    runtimes = ["octnet"] + (TRAINERS if work["work"] == "train" else SERVERS)
    runtimes = [r for r in runtimes if r == "octnet" or r in options.runtimes]
    onnx = os.path.join(folder, f"{work['name']}-{alpha}.onnx")
    rounds, failures = {}, 0
    if work["work"] == "infer" and len(runtimes) > 1:
        exported = subprocess.run([sys.executable, os.path.join(HERE, "peer.py"), "export",
                                   *common(work, alpha, options.threads), "--onnx", onnx], capture_output=True, text=True)
        if exported.returncode != 0:
            print(f"failed: the export of {work['name']} to ONNX\n{exported.stderr[-2000:]}", file=sys.stderr)
            runtimes, failures = ["octnet"], 1
    for _ in range(options.rounds):
        for runtime in runtimes:
            result = time_one(runtime, work, alpha, options, onnx)
            if result:
                rounds.setdefault(runtime, []).append(result)
                fewer = result.get("threads_used", options.threads) < options.threads
                note = f" on {result['threads_used']:.1f} threads: others left no more" if fewer else ""
                print(f"{work['name']} alpha={alpha} {runtime}: {result['ms_median']:.1f} ms{note}", flush=True)
            else:
                failures += 1
    found = {
        runtime: {"ms": statistics.median(r["ms_median"] for r in results),
                  "rss": max(r["peak_rss_bytes"] for r in results)}
        | ({"rounds": len(results)} if len(results) < options.rounds else {})
        for runtime, results in rounds.items()
    }
    return found, failures


def sitting(options):
    """Where and when figures are measured, and with what."""
    return {"date": datetime.date.today().isoformat(), "processor": processor(), "caches": caches(options.octcli),
            "threads": options.threads, "rounds": options.rounds, "versions": versions()}


def compare_alphas(work, alphas, options, folder, earlier):
    """An entry of the file of figures, with those of the `earlier` one that are not measured now, and how many failed."""
    entry, failures = sitting(options) | {"results": {}}, 0
    for alpha in alphas:
        entry["results"][str(alpha)], failed = compare(work, alpha, options, folder)
        failures += failed
    return with_kept(entry, earlier), failures


def with_kept(entry, earlier):
    """With figures of runtimes that it does not have; each says in what its own sitting was another."""
    for alpha, results in earlier.get("results", {}).items():
        mine = entry["results"].setdefault(alpha, {})
        for runtime, kept in results.items():
            if runtime in mine:
                continue
            package = runtime.split("-")[0]
            now = entry | {"version": entry["versions"].get(package)}
            then = earlier | {"version": earlier["versions"].get(package)} | kept
            mine[runtime] = {"ms": kept["ms"], "rss": kept["rss"]}
            # What nobody wrote down then may have been another one.
            mine[runtime] |= {key: then.get(key) or "unknown" for key in SITTING if then.get(key) != now[key]}
    return entry


def finish(failures):
    """Ends with 1 where measurements failed; what succeeded has been written."""
    if failures:
        sys.exit(f"{failures} measurement{'s' if failures > 1 else ''} failed, as said above; the others are written")


def require_program(parser, path):
    """Ends with a usage error where octcli is not built."""
    if not os.access(path, os.X_OK):
        parser.error(f"--octcli: found no program at {path}; build it with: swift build -c release")


def processor():
    """The processor's name, and its family and model, since many a name stands for several generations."""
    found = {}
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.processor()
    return f"{found['model name']} (family {found.get('cpu family')}, model {found.get('model')})"


def has_avx512():
    with open("/proc/cpuinfo") as file:
        return any(line.startswith("flags") and "avx512f" in line.split() for line in file)


@functools.cache
def caches(octcli):
    """Sizes of the caches, as OctNet finds them."""
    found = run([octcli, "bench", "kernels", "--repetitions", "1", "--json"])
    names = {"l1Bytes": "L1", "l2Bytes": "L2", "l3Bytes": "shared L3"}
    return ", ".join(f"{found['machine'][key] >> 10} KiB of {name}" for key, name in names.items()) if found else ""


def key(work, isa):
    return work["name"] + (f"-{isa}" if isa else "")


def versions():
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "onnxruntime", "openvino"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def arguments_for(description, works):
    """A parser of what every comparison takes."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4, help="of repetitions for each figure")
    names, runtimes = [w["name"] for w in works], TRAINERS + SERVERS
    parser.add_argument("--works", nargs="+", choices=names, default=names)
    parser.add_argument("--runtimes", nargs="*", choices=runtimes, default=runtimes, help="peers; none for OctNet alone")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    return parser


def main():
    parser = arguments_for(__doc__, WORKS)
    parser.add_argument("--isa", choices=["avx2"],
                        help="cap the instruction set of all; ONNX Runtime, which has no such switch, stays out on a machine "
                        "with AVX-512")
    options = parser.parse_args()
    os.environ.update(instruction_set(options.isa))
    if options.isa and has_avx512():
        options.runtimes = [r for r in options.runtimes if r != "onnxruntime"]
    require_program(parser, options.octcli)
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "benchmarks.json")
    report = {"works": {}}
    if os.path.exists(path):
        # Works that are not measured now keep the figures of the sitting they come from.
        with open(path) as file:
            report = json.load(file)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for work in WORKS:
            if work["name"] not in options.works:
                continue
            name = key(work, options.isa)
            entry, failed = compare_alphas(work, ALPHAS, options, folder, report["works"].get(name, {}))
            failures += failed
            report["works"][name] = entry | {"title": work["title"] + (", AVX2 only" if options.isa else ""), "kind": work["work"]}
            write_json(path, report, sort_keys=True)
    write_report(report, [key(w, isa) for w in WORKS for isa in (None, "avx2")], options.out)
    finish(failures)


if __name__ == "__main__":
    main()
