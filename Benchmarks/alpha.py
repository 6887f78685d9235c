"""What α saves: multiplications in theory, time by the clock. Writes docs/alpha.json, alpha.md and alpha.svg.

    swift build -c release
    python Benchmarks/alpha.py

Each round times every α in turn. A figure is the median over the rounds of a round's own ratio to its α = 0, so that a
slow moment of the machine does not meet a fast one; beside it stand the smallest and the largest. Each finished round is
written to alpha.json at once, with the machine that it is from. `--add` keeps the rounds of earlier sittings, and `--add
--rounds 0` only draws them again. Needs Python alone.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess

from compare import ROOT, processor, require_program
from jsonfile import write_json

ALPHAS = ["0", "0.125", "0.25", "0.5", "0.75"]
WORKS = [
    ("training step, 32×32, ImageNet stem, batch 100, Adam", "train",
     ["--image-size", "32", "--batch-size", "100", "--classes", "10", "--optimizer", "adam"]),
    ("training step, 224×224, batch 8, SGD", "train",
     ["--image-size", "224", "--batch-size", "8", "--classes", "1000", "--optimizer", "sgd"]),
    ("inference, 224×224, batch 16", "infer", ["--image-size", "224", "--batch-size", "16", "--classes", "1000"]),
]
COLORS = ["#1d4e89", "#2a9d8f", "#e9a23b"]


def output(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def theory(octcli):
    """Multiplications at each α ÷ those at α = 0."""
    macs = [output([octcli, "summary", "--alpha", a, "--stem", "imagenet", "--json"])["macs"] for a in ALPHAS]
    return [m / macs[0] for m in macs]


def clock(octcli, kind, flags, threads):
    """Milliseconds at each α, once in turn."""
    times = {}
    for a in ALPHAS:
        command = [octcli, "bench", kind, "--alpha", a, "--stem", "imagenet", "--threads", str(threads), *flags]
        times[a] = output([*command, "--json"])["ms_median"]
        print(kind, *flags[:4], "alpha", a, f"{times[a]:.1f} ms", flush=True)
    return times


def measure(octcli, threads):
    """A round, with where and when it was."""
    where = {"processor": processor(), "threads": threads, "date": datetime.date.today().isoformat()}
    return where | {"ms": {title: clock(octcli, kind, flags, threads) for title, kind, flags in WORKS}}


def chart(ideal, rows):
    width, height, left, top = 560, 300, 56, 30
    x = lambda a: left + float(a) / 0.75 * (width - left - 20)
    y = lambda v: top + (1.05 - v) / 0.75 * (height - top - 40)
    parts = []
    for v in (0.4, 0.6, 0.8, 1.0):
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y(v):.0f}" y2="{y(v):.0f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(v) + 4:.0f}" text-anchor="end">{v:.1f}</text>')
    for a in ALPHAS:
        parts.append(f'<text x="{x(a):.0f}" y="{height - 22}" text-anchor="middle">{a}</text>')
    curves = [("multiplications", ideal, "#888", "5 4")]
    curves += [(title, ratios, color, "none") for (title, ratios), color in zip(rows, COLORS)]
    for i, (title, values, color, dash) in enumerate(curves):
        points = " ".join(f"{x(a):.1f},{y(v):.1f}" for a, v in zip(ALPHAS, values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>')
        parts.append(f'<line x1="{left}" x2="{left + 24}" y1="{height + 14 + 18 * i}" y2="{height + 14 + 18 * i}" '
                     f'stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>'
                     f'<text x="{left + 32}" y="{height + 18 + 18 * i}">{title}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 24 + 18 * len(curves)}" '
            'font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="12" y="18" font-weight="bold">ResNet-50: time at α ÷ time at α = 0</text>'
            f'<text x="{width / 2:.0f}" y="{height - 6}" text-anchor="middle">α</text>' + "".join(parts) + "</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build", "release", "octcli"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--add", action="store_true", help="to the rounds in alpha.json")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    options = parser.parse_args()
    require_program(parser, options.octcli)
    path = os.path.join(options.out, "alpha.json")
    rounds = []
    if options.add:
        with open(path) as file:
            rounds = json.load(file)
    elif options.rounds < 1:
        parser.error("--rounds 0 has nothing to draw without --add")
    for _ in range(options.rounds):
        rounds.append(measure(options.octcli, options.threads))
        write_json(path, rounds, ensure_ascii=False)
    ideal, rows, lines = theory(options.octcli), [], []
    for title, _, _ in WORKS:
        base = [r["ms"][title][ALPHAS[0]] for r in rounds]
        ratios = [[r["ms"][title][a] / b for r, b in zip(rounds, base)] for a in ALPHAS]
        rows.append((title, [statistics.median(r) for r in ratios]))
        cells = [f"1 ({statistics.median(base):.0f} ms)"]
        cells += [f"{statistics.median(r):.2f} ({min(r):.2f}–{max(r):.2f})" for r in ratios[1:]]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    places = dict.fromkeys(f"{r['processor']}, {r['threads']} threads, {r['date']}" for r in rounds)
    with open(os.path.join(options.out, "alpha.md"), "w") as file:
        file.write("| ResNet-50 | " + " | ".join(f"α = {a}" for a in ALPHAS) + " |\n|---|" + "---|" * len(ALPHAS) + "\n"
                   + "| multiplications, 224×224 | " + " | ".join(f"{v:.2f}" for v in ideal) + " |\n"
                   + "\n".join(lines) + f"\n\n`python Benchmarks/alpha.py`, {len(rounds)} rounds, median (smallest–largest); "
                   + "; ".join(places) + ".\n")
    with open(os.path.join(options.out, "alpha.svg"), "w") as file:
        file.write(chart(ideal, rows))


if __name__ == "__main__":
    main()
