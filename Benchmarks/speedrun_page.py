"""Tables, chart and page of what speedrun.py measured."""

import math
import os
import statistics
import textwrap

COLORS = {"0": "#1d4e89", "0.125": "#2a9d8f", "0.25": "#e9a23b", "0.5": "#c8553d"}
GRAYS = ["#888888", "#444444", "#b0b0b0", "#666666"]
OTHERS = ["#7b4ba0", "#a0764b", "#4ba076"]
DASHES = ["", "7 3", "2 3", "7 3 2 3"]
TRAIN_IMAGES, TEST_IMAGES, BATCH, VIEWS = 50_000, 10_000, 2000, 6
# Student's t, 95 % in the middle, by degrees of freedom from 1; the last one also for more, where it is a little too wide.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
KEYS = ["name", "layout", "compile", "epochs", "threads", "processor"]


def identity(run):
    """What runs of several seeds have in common."""
    return tuple(run[key] for key in KEYS)


def groups(runs):
    """{identity: runs by seed}, OctNet by α, then PyTorch."""
    order = sorted({identity(r) for r in runs},
                   key=lambda i: (i[0] == "pytorch", 0 if i[0] == "pytorch" else float(i[0]), i[1] or "", bool(i[2]), *i[3:]))
    return {i: sorted((r for r in runs if identity(r) == i), key=lambda r: (r["seed"], r["sitting"])) for i in order}


def titles(identities):
    """Names of rows: what all have in common is left out."""
    differing = [n for n in range(3, len(KEYS)) if len({i[n] for i in identities}) > 1]
    found = {}
    for i in identities:
        compiled = ", torch.compile" if i[2] else ""
        title = f"PyTorch, {i[1]}{compiled}" if i[0] == "pytorch" else f"OctNet, α = {i[0]}"
        parts = {3: f"{i[3]:g} epochs", 4: f"{i[4]} threads", 5: i[5]}
        found[i] = ", ".join([title, *(parts[n] for n in differing)])
    return found


def mean(values, digits=2, sign=""):
    """With the sample's deviation, where there is more than one."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.{digits}f}{deviation}".replace("-", "−")


def average(runs, key):
    return statistics.mean(r[key] for r in runs)


def place(i):
    """Where seconds compare: epochs do not matter."""
    return i[4:]


def training_gflop(network):
    """Of one image forward and backward: its multiply–accumulates three times, the first layer's only once, whose weights
    are frozen and whose input needs no gradient; two operations each."""
    return 2e-9 * (3 * network["macs"] - 2 * network["first"])


def gflop(run, networks):
    """Of a run up to its score: training, and six views of each test image."""
    network = networks["0" if run["name"] == "pytorch" else run["name"]]
    steps = math.ceil(run["epochs"] * (TRAIN_IMAGES // BATCH) - 1e-9)
    return steps * BATCH * training_gflop(network) + TEST_IMAGES * VIEWS * 2e-9 * network["macs"]


def front(found):
    """OctNet's rows of several seeds that compare, and those of them that no other one beats in accuracy and seconds."""
    several = {i: rs for i, rs in found.items() if i[0] != "pytorch" and len(rs) > 1}

    def beaten(i):
        own = (average(several[i], "accuracy"), -average(several[i], "seconds"))
        others = [(average(rs, "accuracy"), -average(rs, "seconds")) for j, rs in several.items() if place(j) == place(i)]
        return any(o != own and o[0] >= own[0] and o[1] >= own[1] for o in others)

    compared = [i for i in several if sum(place(j) == place(i) for j in several) > 1]
    return compared, [i for i in compared if not beaten(i)]


def best_pytorch(found, like):
    """The fastest of PyTorch's variants, of as many epochs and threads on that machine; None where there is none."""
    return min(variants(found, like), key=lambda i: average(found[i], "seconds"), default=None)


def variants(found, like):
    """Those of PyTorch."""
    return [i for i in found if i[0] == "pytorch" and i[3:] == like[3:]]


def table(found, report):
    names, (compared, unbeaten) = titles(found), front(found)
    fastest = {best_pytorch(found, i) for i in found if len(variants(found, i)) > 1}
    lines = ["| | epochs | seeds | accuracy, six views, % | seconds | GFLOP/s | of the peak | Pareto front | sittings |",
             "|---|---|---|---|---|---|---|---|---|"]
    for i, runs in found.items():
        rates = [gflop(r, report["networks"]) / r["seconds"] for r in runs]
        peaks = [report["sittings"][r["sitting"] - 1]["peaks"] for r in runs]
        share = f"{100 * statistics.mean(x / statistics.mean(p) for x, p in zip(rates, peaks)):.0f} %" if all(peaks) else "–"
        title = f"**{names[i]}**, the fastest of PyTorch's" if i in fastest else names[i]
        beside = ("on it" if i in unbeaten else "behind it") if i in compared else "–"
        sittings = ", ".join(map(str, sorted({r["sitting"] for r in runs})))
        lines.append(f"| {title} | {i[3]:g} | {', '.join(str(r['seed']) for r in runs)} | {mean([100 * r['accuracy'] for r in runs])} | "
                     f"{mean([r['seconds'] for r in runs], 0)} | {statistics.mean(rates):.0f} | {share} | {beside} | {sittings} |")
    return "\n".join(lines)


def pairs(found, own, peer):
    """OctNet beside PyTorch, seed by seed; times where both are of one sitting. None where no seed has both."""
    rows = [(a, b) for a in found[own] for b in found[peer] if a["seed"] == b["seed"]]
    if not rows:
        return None
    lines = ["| seed | OctNet, α = 0, % | PyTorch, % | difference, points | PyTorch ÷ OctNet, seconds |", "|---|---|---|---|---|"]
    ratios = [b["seconds"] / a["seconds"] if a["sitting"] == b["sitting"] else None for a, b in rows]
    for (a, b), ratio in zip(rows, ratios):
        lines.append(f"| {a['seed']} | {100 * a['accuracy']:.2f} | {100 * b['accuracy']:.2f} | "
                     f"{mean([100 * (a['accuracy'] - b['accuracy'])], sign='+')} | {f'{ratio:.2f}' if ratio else '–'} |")
    if len(rows) == 1:
        return "\n".join(lines)
    differences = [100 * (a["accuracy"] - b["accuracy"]) for a, b in rows]
    known = [r for r in ratios if r]
    lines.append(f"| mean | {statistics.mean(100 * a['accuracy'] for a, _ in rows):.2f} | "
                 f"{statistics.mean(100 * b['accuracy'] for _, b in rows):.2f} | {mean(differences, sign='+')} | {mean(known) if known else '–'} |")
    return "\n".join(lines)


def interval(values):
    """Half of the 95 % interval of their mean."""
    return STUDENT[min(len(values) - 1, len(STUDENT)) - 1] * statistics.stdev(values) / math.sqrt(len(values))


def beside_plain(found, plain):
    """OctNet's other rows beside α = 0, by what runs of the same seed have in difference. None where no seed has both."""
    names = {i: name.removeprefix("OctNet, ") for i, name in titles(found).items()}
    lines, intervals = [], {}
    for i, runs in found.items():
        rows = [(a, b) for a in runs for b in found[plain] if a["seed"] == b["seed"]]
        if i[0] in ("pytorch", "0") or i[3:] != plain[3:] or not rows:
            continue
        differences = [100 * (a["accuracy"] - b["accuracy"]) for a, b in rows]
        ratios = [a["seconds"] / b["seconds"] for a, b in rows if a["sitting"] == b["sitting"]]
        middle, around = statistics.mean(differences), "–"
        if len(rows) > 1:
            half = interval(differences)
            intervals[names[i]] = (middle - half, middle + half)
            around = f"{middle - half:+.2f} to {middle + half:+.2f}"
        seconds = f"{mean(ratios)} ({len(ratios)})" if ratios else "–"
        seeds = ", ".join(str(a["seed"]) for a, _ in rows)
        lines.append(f"| {names[i]} | {seeds} | {mean(differences, sign='+')} | {around} | {seconds} |".replace("-", "−"))
    if not lines:
        return None
    head = ["| | seeds | difference, points | 95 % interval of its mean | seconds ÷ α = 0 (runs of one sitting) |", "|---|---|---|---|---|"]
    return "\n".join(head + lines) + "\n\n" + filled(verdict(intervals))


def verdict(intervals):
    """What the intervals allow, and no more."""
    if not intervals:
        return "One seed says nothing of the accuracies."
    more = [name for name, (low, _) in intervals.items() if low > 0]
    less = [name for name, (_, high) in intervals.items() if high < 0]
    said = [f"{' and '.join(rows)} {'is' if len(rows) == 1 else 'are'} {word} accurate than α = 0"
            for rows, word in ((more, "more"), (less, "less")) if rows]
    open_ones = [name for name in intervals if name not in more + less]
    if open_ones:
        said.append(f"whether {' or '.join(open_ones)} is more accurate than α = 0, or less, can't be told from these seeds")
    return ("By these intervals, each taken alone, " + "; ".join(said) + ".") if more or less else said[0][0].upper() + said[0][1:] + "."


def curve(runs):
    """The mean of the seeds epoch by epoch; the last place is the score."""
    curves = [r["curve"][:-1] + [{"seconds": r["seconds"], "accuracy": r["accuracy"]}] for r in runs]
    return [(average(places, "seconds"), average(places, "accuracy")) for places in zip(*curves, strict=True)]


def style(i, found):
    """Color by network, dashes by epochs, threads and processor."""
    peers = list(dict.fromkeys(j[:3] for j in found if j[0] == "pytorch"))
    others = [name for name in dict.fromkeys(j[0] for j in found) if name not in COLORS and name != "pytorch"]
    color = (GRAYS[peers.index(i[:3]) % len(GRAYS)] if i[0] == "pytorch"
             else COLORS[i[0]] if i[0] in COLORS else OTHERS[others.index(i[0]) % len(OTHERS)])
    dash = DASHES[list(dict.fromkeys(j[3:] for j in found)).index(i[3:]) % len(DASHES)]
    return f'stroke="{color}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")


def chart(found):
    """Mean accuracy over mean seconds, a line for each row of the table."""
    width, height, left, top = 620, 320, 56, 34
    curves, names = {i: curve(runs) for i, runs in found.items()}, titles(found)
    longest = max(seconds for places in curves.values() for seconds, _ in places)

    def x(seconds):
        return left + seconds / longest * (width - left - 24)

    def y(accuracy):
        return top + (0.96 - max(accuracy, 0.5)) / 0.46 * (height - top - 40)

    parts = []
    for percent in (50, 60, 70, 80, 90, 94):
        dash = ' stroke-dasharray="4 3"' if percent == 94 else ""
        parts.append(f'<line x1="{left}" x2="{width - 24}" y1="{y(percent / 100):.0f}" y2="{y(percent / 100):.0f}" stroke="#ccc"{dash}/>'
                     f'<text x="{left - 8}" y="{y(percent / 100) + 4:.0f}" text-anchor="end">{percent} %</text>')
    # Round numbers, at most six of them.
    step = next(s for e in range(9) for s in (10**e, 2 * 10**e, 5 * 10**e) if longest / s <= 5)
    for seconds in range(0, int(longest) + 1, step):
        parts.append(f'<text x="{x(seconds):.0f}" y="{height - 20}" text-anchor="middle">{seconds:.0f}</text>')
    for n, (i, places) in enumerate(curves.items()):
        points, line = " ".join(f"{x(s):.1f},{y(a):.1f}" for s, a in places), height + 14 + 18 * n
        seeds = f", mean of {len(found[i])} seeds" if len(found[i]) > 1 else ""
        parts.append(f'<polyline points="{points}" fill="none" {style(i, found)}/>'
                     f'<line x1="{left}" x2="{left + 24}" y1="{line}" y2="{line}" {style(i, found)}/>'
                     f'<text x="{left + 32}" y="{line + 4}">{names[i]}{seeds}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 24 + 18 * len(found)}" '
            'font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/>'
            '<text x="12" y="20" font-weight="bold">CIFAR-10: accuracy over seconds of training</text>'
            f'<text x="{width / 2:.0f}" y="{height - 4}" text-anchor="middle">seconds</text>' + "".join(parts) + "</svg>\n")


def sitting_lines(sittings):
    lines = []
    for number, s in enumerate(sittings, 1):
        peaks = " and ".join(f"{peak:.0f}" for peak in s["peaks"])
        lines.append(f"- {number}: {s['processor']}, {s['caches']}, {s['threads']} threads, {s['date']}; "
                     + ", ".join(f"{name} {version}" for name, version in s["versions"].items() if name == "torch")
                     + (f"; peak {peaks} GFLOP/s" if peaks else "; peak not measured")
                     + (f"; octcli {s['program']}" if s.get("program") else "")
                     + (f", worktree at {s['commit']}" if s.get("commit") else ""))
    for remark in dict.fromkeys(s["remark"] for s in sittings if s["remark"]):
        numbers = [str(n) for n, s in enumerate(sittings, 1) if s["remark"] == remark]
        lines.append("\n" + filled(f"{'Sitting' if len(numbers) == 1 else 'Sittings'} {', '.join(numbers)}: {remark}."))
    return lines


def filled(text):
    """In lines of the page."""
    return textwrap.fill(text, 125, break_long_words=False, break_on_hyphens=False)


def explanation(found, report):
    """What the table's columns are, as far as it has them."""
    work = training_gflop(report["networks"]["0"]) if "0" in report["networks"] else None
    lines = ["Seconds are from the start of training, images loaded, to the score with six views; evaluations between epochs do not count.",
             "They compare within a sitting only."]
    if any(len(runs) > 1 for runs in found.values()):
        lines.append("± is the sample's deviation over the seeds.")
    lines += ["GFLOP/s count the direct multiplications and additions of each row's own network: for an image of training its forward pass",
              "three times (the first layer's once: its weights are frozen, and its input needs no gradient), once for each of six views of",
              f"a test image{f'; at α = 0, {work:.3f} GFLOP an image of training' if work else ''}. Their share is of the peak of the multiply–add",
              "units that was measured in the same sitting, the mean of before and after. Winograd's way needs fewer multiplications."]
    return filled(" ".join(lines))


def front_lines(found):
    """What the column of the Pareto front means, and whom it leaves out."""
    ours = {i: runs for i, runs in found.items() if i[0] != "pytorch"}
    lines, compared = [], front(found)[0]
    if compared:
        lines.append("On the Pareto front are OctNet's rows whose means no other one beats in accuracy and seconds.")
        if len({frozenset(r["sitting"] for r in found[i]) for i in compared}) > 1:
            lines.append("Seconds of different sittings are compared there: small differences mean nothing.")
    if len(ours) > 1 and any(len(runs) == 1 for runs in ours.values()):
        lines.append("Of a row with one seed nothing can be told: neither how its accuracy compares, nor whether it is on the Pareto front.")
    return ["\n".join(lines)] if lines else []


def write_page(report, folder):
    """speedrun.md and speedrun.svg."""
    found = groups(report["runs"])
    parts = ["# The speed run on CIFAR-10", "![accuracy over seconds](speedrun.svg)",
             "Made by `python Benchmarks/speedrun.py`: `octcli train --recipe speedrun94` and the same recipe in PyTorch\n"
             "(`Benchmarks/speedrun_torch.py`), in turn.", explanation(found, report), table(found, report)]
    parts += front_lines(found)
    names = titles(found)
    for plain in (i for i in found if i[0] == "0"):
        if text := beside_plain(found, plain):
            parts.append(f"{filled(f'OctNet at other α beside {names[plain]}, seed by seed:')}\n\n{text}")
    for own in (i for i in found if i[0] == "0"):
        peer = best_pytorch(found, own)
        if peer is None or not (text := pairs(found, own, peer)):
            continue
        count = len(variants(found, own))
        which = f"the fastest of {count} variants" if count > 1 else "the only variant of PyTorch's that was run"
        intro = f"Seed by seed, {names[own]} beside {names[peer]}, {which}; seconds where both are of one sitting:"
        parts.append(f"{filled(intro)}\n\n{text}")
    parts.append("Sittings:\n\n" + "\n".join(sitting_lines(report["sittings"])))
    with open(os.path.join(folder, "speedrun.md"), "w") as file:
        file.write("\n\n".join(parts) + "\n")
    with open(os.path.join(folder, "speedrun.svg"), "w") as file:
        file.write(chart(found))
