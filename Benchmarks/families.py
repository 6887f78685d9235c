"""The families of networks beside PyTorch, ONNX Runtime and OpenVINO, in one sitting, each in turn.

    pip install torch torchvision onnx onnxruntime openvino
    swift build -c release
    python Benchmarks/families.py --rounds 3

As compare.py, whose table has ResNet-50: the peers' networks are written in Python (Tools/fixtures) and exported by PyTorch.
Writes docs/families.json (every figure) and prints two tables: best peer ÷ OctNet, and by how much α shortens OctNet's time
beside the multiplications that are left.
"""

import datetime
import json
import os
import tempfile

from compare import arguments_for, caches, compare, processor, require_program, run, versions
from report import best_peer, ratio, saving

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


def tables(report):
    """Markdown."""
    lines = ["| 224×224, 2 threads | α | " + " | ".join(w["title"] for w in WORKS) + " |", "|---|---|" + "---|" * len(WORKS)]
    saved = ["| | multiplications | " + " | ".join(w["title"] for w in WORKS) + " |", "|---|---|" + "---|" * len(WORKS)]
    for model, alphas in MODELS.items():
        entry = report.get(model)
        if not entry:
            continue
        for alpha in map(str, alphas):
            cells = []
            for work in WORKS:
                results = entry["results"].get(work["name"], {}).get(alpha, {})
                value = ratio(results)
                cells.append(f"{value:.2f} ({best_peer(results)})" if value else "–")
            lines.append(f"| {model} | {float(alpha):g} | " + " | ".join(cells) + " |")
        alpha = str(alphas[1])
        left = [saving(entry["results"].get(work["name"], {}), alpha) for work in WORKS]
        theory = entry["macs"][alpha] / entry["macs"]["0.0"]
        saved.append(f"| {model}, α = {float(alpha):g} | {theory:.2f} | "
                     + " | ".join(f"{value:.2f}" if value else "–" for value in left) + " |")
    return "\n".join(lines) + "\n\n" + "\n".join(saved)


def main():
    parser = arguments_for(__doc__, WORKS)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    options = parser.parse_args()
    require_program(parser, options.octcli)
    path, report = os.path.join(options.out, "families.json"), {}
    if os.path.exists(path):
        # What is not measured now keeps the figures of its own sitting.
        with open(path) as file:
            report = json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            entry = report.setdefault(model, {"results": {}})
            entry |= {"date": datetime.date.today().isoformat(), "processor": processor(), "caches": caches(options.octcli),
                      "rounds": options.rounds, "threads": options.threads, "versions": versions(),
                      "macs": {str(a): macs(model, a, options.octcli) for a in MODELS[model]}}
            for work in WORKS:
                if work["name"] not in options.works:
                    continue
                case = COMMON | work | {"name": f"{model}-{work['name']}", "model": model}
                entry["results"][work["name"]] = {str(a): compare(case, a, options, folder) for a in MODELS[model]}
                with open(path, "w") as file:
                    json.dump(report, file, indent=1, sort_keys=True)
                    file.write("\n")
    print(tables(report))


if __name__ == "__main__":
    main()
