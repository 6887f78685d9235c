"""Tables and chart of what compare.py measured."""

import os

NAMES = {
    "octnet": "OctNet", "torch-eager": "PyTorch eager", "torch-channels-last": "PyTorch channels-last",
    "torch-compile": "PyTorch compile", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO",
}
COLORS = {"0.0": "#9aa7b4", "0.125": "#4c86c6", "0.5": "#1d4e89"}
# What a figure says of its sitting where that is another than its table's, and how the page says it.
SITTING = {"processor": "{}", "caches": "{}", "threads": "{} threads", "rounds": "{} round(s)", "date": "{}", "version": "version {}"}


def place(result):
    """Figures of one place compare, if of several days."""
    return tuple(result.get(key) for key in ("processor", "caches", "threads"))


def best_peer(results):
    """The fastest runtime but OctNet, measured where OctNet was; None where there is none."""
    ours = place(results.get("octnet", {}))
    peers = {name: r for name, r in results.items() if name != "octnet" and place(r) == ours}
    return min(peers, key=lambda name: peers[name]["ms"]) if peers else None


def ratio(results, key="ms"):
    """Best peer ÷ OctNet for time; OctNet ÷ that peer for memory. None where one is missing."""
    peer = best_peer(results)
    if peer is None or "octnet" not in results:
        return None
    ours, theirs = results["octnet"][key], results[peer][key]
    return theirs / ours if key == "ms" else ours / theirs


def saving(results, alpha):
    """OctNet's time ÷ its time at α = 0. None where one is missing."""
    ours, whole = (results.get(a, {}).get("octnet") for a in (alpha, "0.0"))
    return ours["ms"] / whole["ms"] if ours and whole and place(ours) == place(whole) else None


def exceptions(work):
    """Which figures of a table are of another sitting, in what it was another, and which are of fewer rounds."""
    found = {}
    for a, results in work["results"].items():
        for name, r in results.items():
            if said := ", ".join(form.format(r[key]) for key, form in SITTING.items() if key in r):
                found.setdefault((name, said), []).append(f"{float(a):g}")
    lines = []
    for (name, said), alphas in found.items():
        where = "" if len(alphas) == len(work["results"]) else f" at α = {' and '.join(alphas)}"
        lines.append(f"{NAMES[name]}{where}: {said}")
    return lines


def table(work):
    """Milliseconds and MiB of every runtime, a column for each alpha."""
    alphas = list(work["results"])
    runtimes = [name for name in NAMES if any(name in work["results"][a] for a in alphas)]
    lines = ["| | " + " | ".join(f"α = {float(a):g}" for a in alphas) + " |", "|---|" + "---|" * len(alphas)]
    for name in runtimes:
        cells = []
        for a in alphas:
            r = work["results"][a].get(name)
            cells.append(f"{r['ms']:.1f} ms, {r['rss'] / 2**20:.0f} MiB" if r else "–")
        lines.append(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
    ratios = {
        "best peer ÷ OctNet, time": [ratio(work["results"][a]) for a in alphas],
        "OctNet ÷ that peer, memory": [ratio(work["results"][a], "rss") for a in alphas],
        "OctNet ÷ its own α = 0, time": [saving(work["results"], a) for a in alphas],
    }
    for title, values in ratios.items():
        lines.append(f"| **{title}** | " + " | ".join(f"**{v:.2f}**" if v else "–" for v in values) + " |")
    return "\n".join(lines)


def chart(works):
    """Bars of best peer ÷ OctNet; the line at 1 is equality."""
    bar, gap, left, width = 18, 26, 400, 420
    groups = [(w["title"], [(a, ratio(w["results"][a])) for a in w["results"]]) for w in works]
    groups = [(title, [(a, v) for a, v in bars if v]) for title, bars in groups]
    largest = max((v for _, bars in groups for _, v in bars), default=1)
    scale = width / max(largest * 1.1, 1.2)
    y, body = 40, []
    for title, bars in groups:
        body.append(f'<text x="{left - 12}" y="{y + bar * len(bars) / 2 + 4:.0f}" text-anchor="end">{title}</text>')
        for a, value in bars:
            body.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{bar - 3}" fill="{COLORS.get(a, "#4c86c6")}"/>')
            body.append(f'<text x="{left + value * scale + 6:.1f}" y="{y + bar - 6}">{value:.2f} (α = {float(a):g})</text>')
            y += bar
        y += gap
    line = f'<line x1="{left + scale:.1f}" y1="30" x2="{left + scale:.1f}" y2="{y - gap + 8}" stroke="#c0392b" stroke-dasharray="4 3"/>'
    head = '<text x="12" y="20" font-weight="bold">Time of the best peer ÷ time of OctNet (longer is better, dashed: equal)</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 110}" height="{y}" '
            f'font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/>'
            + head + "".join(body) + line + "</svg>\n")


def write_report(report, order, folder):
    works = [report["works"][name] for name in order if name in report["works"]]
    parts = ["# OctNet beside its peers\n", "![ratios](benchmarks.svg)\n",
             "Made by `python Benchmarks/compare.py`: one process for each figure, the runtimes in turn; medians. "
             "Memory is the peak resident memory of the process. All networks are ResNet-50. What earlier sittings and "
             "another machine gave stands in [benchmark-sittings.md](benchmark-sittings.md).\n"]
    for work in works:
        caches = f", {work['caches']}" if work.get("caches") else ""
        found = ", ".join(f"{name} {version}" for name, version in work["versions"].items())
        parts.append(f"## {work['title']}\n\n{table(work)}\n\n{work['processor']}{caches}, {work['threads']} threads, "
                     f"{work['rounds']} round(s), {work['date']}; {found}."
                     + "".join(f" {said}." for said in exceptions(work)) + "\n")
    with open(os.path.join(folder, "benchmarks.md"), "w") as file:
        file.write("\n".join(parts))
    with open(os.path.join(folder, "benchmarks.svg"), "w") as file:
        file.write(chart(works))
