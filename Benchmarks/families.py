"""The families of networks beside PyTorch, ONNX Runtime and OpenVINO, in one sitting, each in turn.

    pip install torch torchvision onnx onnxruntime openvino
    swift build -c release
    python Benchmarks/families.py --rounds 3

As compare.py, whose table has ResNet-50: the peers' networks are written in Python (Tools/fixtures) and exported by PyTorch.
Writes docs/families.json (every figure) and prints two tables: best peer ÷ OctNet, and by how much α shortens OctNet's time
beside the multiplications that are left. What is not measured now, or fails, keeps its earlier figure, as with compare.py.
"""

import json
import os
import tempfile

from compare import arguments_for, compare_alphas, finish, require_program, run
from jsonfile import write_json
from report import best_peer, exceptions, ratio, saving

MODELS = {"mobilenet_v1": [0.0, 0.5], "mobilenet_v2": [0.0, 0.375], "densenet121": [0.0, 0.125],
          "resnext50_32x4d": [0.0, 0.25], "seresnet50v2": [0.0, 0.125]}
WORKS = [
    {"name": "infer-16", "title": "inference, batch 16", "work": "infer", "batch": 16},
    {"name": "infer-1", "title": "inference, batch 1", "work": "infer", "batch": 1},
    {"name": "train-16", "title": "training step, batch 16, SGD", "work": "train", "batch": 16, "optimizer": "sgd"},
]
COMMON = {"stem": "imagenet", "size": 224, "classes": 1000}


def macs(model, alpha, octcli):
    """Multiply–accumulates of one image."""
    found = run([octcli, "summary", "--model", model, "--alpha", str(alpha), "--json"])
    return found["macs"] if found else None


def with_sittings(model):
    """A model's entry; in files until November 2026 its works had one sitting together."""
    if "works" in model:
        return model
    sitting = {key: value for key, value in model.items() if key not in ("macs", "results")}
    return {"macs": model["macs"], "works": {name: sitting | {"results": results} for name, results in model["results"].items()}}


def tables(report):
    """Markdown."""
    threads = {work["threads"] for entry in report.values() for work in entry["works"].values()}
    # Where they are not the same for all, each cell says its own.
    common = f", {min(threads)} threads" if len(threads) == 1 else ""
    lines = [f"| 224×224{common} | α | " + " | ".join(w["title"] for w in WORKS) + " |", "|---|---|" + "---|" * len(WORKS)]
    saved = ["| | multiplications | " + " | ".join(w["title"] for w in WORKS) + " |", "|---|---|" + "---|" * len(WORKS)]
    for model, alphas in MODELS.items():
        entry = report.get(model)
        if not entry:
            continue
        for alpha in map(str, alphas):
            cells = []
            for work in WORKS:
                measured = entry["works"].get(work["name"], {"results": {}})
                results = measured["results"].get(alpha, {})
                value = ratio(results)
                own = "" if common or not value else f", {measured['threads']} threads"
                cells.append(f"{value:.2f} ({best_peer(results)}{own})" if value else "–")
            lines.append(f"| {model} | {float(alpha):g} | " + " | ".join(cells) + " |")
        alpha = str(alphas[1])
        left = [saving(entry["works"].get(work["name"], {"results": {}})["results"], alpha) for work in WORKS]
        whole, part = (entry["macs"].get(a) for a in ("0.0", alpha))
        theory = part / whole if whole and part else None
        saved.append(f"| {model}, α = {float(alpha):g} | "
                     + " | ".join(f"{value:.2f}" if value else "–" for value in [theory, *left]) + " |")
    said = [f"{model}, {work['title']}: {exception}." for model, entry in report.items() for work in WORKS
            if work["name"] in entry["works"] for exception in exceptions(entry["works"][work["name"]])]
    return "\n\n".join("\n".join(part) for part in (lines, saved, said) if part)


def main():
    parser = arguments_for(__doc__, WORKS)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    options = parser.parse_args()
    require_program(parser, options.octcli)
    path, report, failures = os.path.join(options.out, "families.json"), {}, 0
    if os.path.exists(path):
        # What is not measured now keeps the figures of its own sitting.
        with open(path) as file:
            report = {model: with_sittings(entry) for model, entry in json.load(file).items()}
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            entry = report.setdefault(model, {"macs": {}, "works": {}})
            for alpha in MODELS[model]:
                found = macs(model, alpha, options.octcli)
                entry["macs"] |= {str(alpha): found} if found else {}
                failures += not found
            for work in WORKS:
                if work["name"] not in options.works:
                    continue
                case = COMMON | work | {"name": f"{model}-{work['name']}", "model": model}
                earlier = entry["works"].get(work["name"], {})
                entry["works"][work["name"]], failed = compare_alphas(case, MODELS[model], options, folder, earlier)
                failures += failed
                write_json(path, report, sort_keys=True)
    print(tables(report))
    finish(failures)


if __name__ == "__main__":
    main()
