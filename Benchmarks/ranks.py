"""Two ranks beside one on one machine, and two with a slow link between them beside the model of `octcli bench scale`.

    swift build -c release --traits MPI --scratch-path .build-mpi --product octcli
    python Benchmarks/ranks.py                                  # two ranks of one thread, one of two threads, in turn
    sudo python Benchmarks/ranks.py --rates 1gbit,10gbit        # and two ranks in two network namespaces
    python Benchmarks/ranks.py --forecast                       # what the model says of 8, 64 and 512 ranks

Prints tables in Markdown. Needs Open MPI's mpirun; with --rates root, iproute2 and a Linux kernel with veth and tbf: each
namespace has one end of a cable whose two directions are held to the rate, so that all bytes go through TCP. Figures are
medians over the rounds (smallest–largest).
"""

import argparse
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

from compare import ROOT, processor, require_program

SPACES = ["octnet-0", "octnet-1"]
ADDRESSES = ["10.77.0.1", "10.77.0.2"]
NETWORK = "10.77.0.0/24"


def output(command):
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                   "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{result.stderr[-2000:]}")
    return json.loads(result.stdout[result.stdout.index("{"):])


def network(options):
    return ["--model", options.model, "--image-size", str(options.image_size), "--batch-size", str(options.batch_size),
            "--repetitions", str(options.repetitions), "--optimizer", "sgd"]


def one(options, alpha):
    """Images a second of one rank of two threads."""
    command = [options.octcli, "bench", "train", *network(options), "--stem", "imagenet", "--classes", "1000", "--alpha",
               alpha, "--threads", "2", "--json"]
    return output(command)["images_per_second"]


def two(options, launcher):
    """What two ranks of one thread each measure, by α."""
    command = [*launcher, options.octcli, "bench", "scale", *network(options), "--stem", "imagenet", "--classes", "1000",
               "--alphas", ",".join(options.alphas), "--threads", "1", "--reduce-dtype", options.reduce_dtype, "--json"]
    found = output(command)["measured"]
    for row in found:
        print(f"α = {row['alpha']}: {row['ms_measured']:.0f} ms, model {row['ms_modelled']:.0f} "
              f"({row['difference_percent']:+.1f} %), {row['gbit']:.2f} Gbit/s", file=sys.stderr, flush=True)
    return dict(zip(options.alphas, found))


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def row(link, alpha, found):
    """A link's line of the table, of all rounds."""
    def values(key): return [f[alpha][key] for f in found]
    return (f"| {link} | {alpha} | {statistics.median(values('gbit')):.2f} | {statistics.median(values('latency_us')):.0f} | "
            f"{spread(values('ms_measured'), 0)} | {spread(values('ms_modelled'), 0)} | "
            f"{spread(values('difference_percent'), 1)} | {statistics.median(values('efficiency')):.3f} |")


def forecast(options):
    """The model's tables for many ranks of as many threads as there are processors, with and without overlap."""
    command = [options.octcli, "bench", "scale", *network(options), "--stem", "imagenet", "--classes", "1000", "--alphas",
               ",".join(options.alphas), "--reduce-dtype", options.reduce_dtype, "--json"]
    command += ["--seconds", options.seconds] if options.seconds else []
    with_overlap, without = output(command), output([*command, "--no-overlap"])
    print("| ranks | Gbit/s | " + " | ".join(f"α = {a}: step ms | images/s | efficiency, without overlap | limit" for a in
                                             options.alphas) + " | gain |")
    print("|---" * (3 + 4 * len(options.alphas)) + "|")
    key = lambda row: (row["ranks"], row["gbit"])
    for case in dict.fromkeys(map(key, with_overlap["forecasts"])):
        cells = [str(case[0]), f"{case[1]:g}"]
        rows = [row for row in with_overlap["forecasts"] if key(row) == case]
        for row, other in zip(rows, (row for row in without["forecasts"] if key(row) == case)):
            cells += [f"{row['ms']:.0f}", f"{row['images_per_second']:.0f}", f"{row['efficiency']:.3f}, {other['efficiency']:.3f}",
                      f"{row['limit']}, {other['limit']}" if row["limit"] != other["limit"] else row["limit"]]
        print("| " + " | ".join([*cells, f"{rows[-1]['gain']:.2f}"]) + " |")
    print("\n| Gbit/s | ranks | exchange as long as computation | efficiency 0.9, without overlap | half of the gain, without overlap |"
          "\n|---|---|---|---|---|")
    number = lambda value: "–" if value is None else f"{value:.3g}"
    for row, other in zip(with_overlap["turns"], without["turns"]):
        pairs = [f"{number(row.get(k))}, {number(other.get(k))}" for k in ("gbit_for_90_percent", "gbit_half_gain")]
        print(f"| α = {row['alpha']:g} | {row['ranks']} | {number(row.get('gbit_exchange_as_long_as_computation'))} | "
              + " | ".join(pairs) + " |")
    for costs, alpha in zip(with_overlap["networks"], options.alphas):
        print(f"α = {alpha}: {costs['ms_alone']:.0f} ms alone, ms of handling by ranks {costs['ms_handling']}", file=sys.stderr)


@contextlib.contextmanager
def cable(rate):
    """A launcher of two ranks between which a cable of this rate lies."""
    bits = float(rate.removesuffix("gbit")) * 1e9
    burst = str(max(262144, int(bits / 8 / 1000)))
    def system(*words): subprocess.run(words, check=True)
    with tempfile.TemporaryDirectory() as folder:
        # In place of ssh: the second space, under a host name of its own, without which the ranks would share memory.
        agent = os.path.join(folder, "agent")
        with open(agent, "w") as file:
            file.write(f'#!/bin/sh\nshift\nexec ip netns exec {SPACES[1]} unshare -u sh -c "hostname {SPACES[1]}; $*"\n')
        os.chmod(agent, 0o755)
        try:
            for space in SPACES:
                system("ip", "netns", "add", space)
            system("ip", "link", "add", "cable0", "netns", SPACES[0], "type", "veth", "peer", "name", "cable1", "netns", SPACES[1])
            for index, space in enumerate(SPACES):
                system("ip", "-n", space, "link", "set", "lo", "up")
                system("ip", "-n", space, "addr", "add", ADDRESSES[index] + "/24", "dev", f"cable{index}")
                system("ip", "-n", space, "link", "set", f"cable{index}", "up")
                system("ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", f"cable{index}", "root", "tbf", "rate", rate,
                       "burst", burst, "latency", "50ms")
            yield ["ip", "netns", "exec", SPACES[0], "mpirun", "-n", "2", "--host", ",".join(ADDRESSES), "--map-by", "node",
                   "--bind-to", "none", "--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self",
                   "--mca", "btl_tcp_if_include", NETWORK, "--mca", "oob_tcp_if_include", NETWORK]
        finally:
            for space in SPACES:
                subprocess.run(["ip", "netns", "delete", space], stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--octcli", default=os.path.join(ROOT, ".build-mpi", "release", "octcli"), help="built with the trait MPI")
    parser.add_argument("--rates", type=lambda text: text.split(","), default=[], help="of the cable, such as 1gbit,10gbit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=5, help="steps of which each process takes the median")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--reduce-dtype", default="float32", help="numbers of the sums that ranks send")
    parser.add_argument("--alphas", type=lambda text: text.split(","), default=["0", "0.5"])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16, help="of one rank")
    parser.add_argument("--forecast", action="store_true", help="print the model's tables and measure one process alone")
    parser.add_argument("--seconds", help="with --forecast: of a step for each α, in place of measuring")
    options = parser.parse_args()
    require_program(parser, options.octcli)
    if options.rates and os.geteuid() != 0:
        parser.error("--rates: network namespaces are root's")
    if options.forecast:
        return forecast(options)
    here = ["mpirun", "-n", "2", "--bind-to", "core"]
    alone, together = {alpha: [] for alpha in options.alphas}, []
    for _ in range(options.rounds):
        for alpha in options.alphas:
            alone[alpha].append(one(options, alpha))
            print(f"α = {alpha}: one rank of two threads, {alone[alpha][-1]:.2f} images/s", file=sys.stderr, flush=True)
        together.append(two(options, here))
    linked = {}
    for rate in options.rates:
        with cable(rate) as launcher:
            linked[rate] = [two(options, launcher) for _ in range(options.rounds)]
    what = f"{options.model} at {options.image_size}×{options.image_size}, batch {options.batch_size} a rank, SGD"
    print(f"{what}; {processor()}, {datetime.date.today().isoformat()}, {options.rounds} rounds of {options.repetitions} steps: "
          "median (smallest–largest).\n")
    print("| images/s | one rank of two threads | two ranks of one thread | ratio |\n|---|---|---|---|")
    for alpha in options.alphas:
        pairs = [(a, t[alpha]["images_per_second"]) for a, t in zip(alone[alpha], together)]
        print(f"| α = {alpha} | {spread([a for a, _ in pairs], 2)} | {spread([t for _, t in pairs], 2)} | "
              f"{spread([t / a for a, t in pairs], 3)} |")
    print("\n| link | α | measured Gbit/s | µs | step ms | model ms | model − step, % | efficiency |\n|---|---|---|---|---|---|---|---|")
    for alpha in options.alphas:
        print(row("shared memory", alpha, together))
    for rate, found in linked.items():
        for alpha in options.alphas:
            print(row(f"veth, {rate}", alpha, found))


if __name__ == "__main__":
    main()
