"""How fast photographs become batches, beside torchvision, and what feeding a training step costs.

    pip install torch torchvision pillow scikit-learn scikit-image
    swift build -c release --traits Images
    python Benchmarks/photographs.py loaders steps files --octcli .build/release/octcli --rounds 3

Makes 2,000 JPEGs of 500×375 out of photographs that scikit-learn and scikit-image carry, once, in --directory. Then

  loaders  decoding, random resized crop to 224, flip and normalisation on one core, in turn: octcli bench data, torchvision's loader
           with Pillow, and with torchvision.io.decode_jpeg and tensors;
  steps    a training step of Oct-ResNet-50 at 224×224 in batches of 16, alone, fed from the JPEGs and from a prepared file;
  files    100,000 small files in 100 classes: time until the first batch, and memory over an epoch. With --cold the system's caches are
           emptied before, which needs root.

Speeds are images by the time of processors that the process took, so that neighbours count little. Prints every round and the medians.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNT, WIDTH, HEIGHT, BATCH = 2000, 500, 375, 16
FILES, CLASSES = 100_000, 100


# The photographs


def photographs():
    """Those that two packages carry, in colour."""
    import skimage
    import sklearn.datasets
    from PIL import Image

    places = [pathlib.Path(sklearn.datasets.__file__).parent / "images", pathlib.Path(skimage.__file__).parent / "data"]
    names = ["china.jpg", "flower.jpg", "astronaut.png", "chelsea.png", "coffee.png", "retina.jpg", "rocket.jpg"]
    found = {name: place / name for name in names for place in places if (place / name).exists()}
    return {pathlib.Path(name).stem: Image.open(path).convert("RGB") for name, path in found.items()}


def make_photographs(directory):
    """train/PHOTOGRAPH/N.jpg and test/PHOTOGRAPH/N.jpg: parts of random size and place, at most twice enlarged."""
    done = directory / "done"
    if done.exists():
        return
    from PIL import Image

    sources, draw = photographs(), random.Random(1)
    for half, count in (("train", COUNT), ("test", 5 * len(sources))):
        for index in range(count):
            name = list(sources)[index % len(sources)]
            image = sources[name]
            largest = min(image.width, image.height * WIDTH / HEIGHT)
            width = draw.uniform(min(WIDTH / 2, largest), largest)
            height = width * HEIGHT / WIDTH
            left, top = draw.uniform(0, image.width - width), draw.uniform(0, image.height - height)
            part = image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, (left, top, left + width, top + height))
            path = directory / half / name / f"{index:05}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.save(path, "JPEG", quality=90)
    done.touch()


# What is measured


def octcli(arguments, program, core=None):
    """The JSON that octcli prints."""
    command = (["taskset", "-c", str(core)] if core is not None else []) + [program, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(f"{' '.join(command)}: {found.stderr.strip()}")
    return json.loads(found.stdout)


def data_flags(directory, size=224, batch=BATCH):
    """Those of octcli bench data."""
    return ["bench", "data", directory, "--augment", "resized-crop,flip", "--image-size", size, "--batch-size", batch,
            "--mean", *MEAN, "--std", *STD, "--json"]


def torchvision_loader(directory, decoder):
    """Images by a core's second of torchvision's loader."""
    import torch
    from torchvision import datasets, io
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    crop = [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]
    if decoder == "pillow":
        loader = datasets.folder.default_loader
        change = v2.Compose([*crop, v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    else:
        def loader(path):
            return io.decode_jpeg(io.read_file(path), mode=io.ImageReadMode.RGB)

        change = v2.Compose([*crop, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    images = datasets.ImageFolder(directory, change, loader=loader)
    batches = iter(torch.utils.data.DataLoader(images, batch_size=BATCH, shuffle=True))
    next(batches)
    start, count = time.process_time(), 0
    for batch, _ in batches:
        count += len(batch)
    return count / (time.process_time() - start)


def in_process(function, *arguments):
    """In a process of its own, on one core."""
    code = f"import photographs; print(photographs.{function}(*{arguments!r}))"
    found = subprocess.run(["taskset", "-c", "0", sys.executable, "-c", code], capture_output=True, text=True,
                           cwd=pathlib.Path(__file__).parent)
    if found.returncode != 0:
        sys.exit(found.stderr)
    return float(found.stdout.split()[-1])


def measure_loaders(options):
    """Images by a core's second, in turn."""
    folder = options.directory / "photographs"
    speeds = {"octnet": [], "octnet, scaled decoding": [], "decode_jpeg": [], "pillow": []}
    flags = [*data_flags(f"folder:{folder}"), "--workers", 1, "--threads", 1]
    for _ in range(options.rounds):
        speeds["octnet"].append(octcli(flags, options.octcli, core=0)["images_per_core_second"])
        speeds["decode_jpeg"].append(in_process("torchvision_loader", str(folder / "train"), "decode_jpeg"))
        speeds["pillow"].append(in_process("torchvision_loader", str(folder / "train"), "pillow"))
        speeds["octnet, scaled decoding"].append(
            octcli([*flags, "--scaled-decoding"], options.octcli, core=0)["images_per_core_second"])
    print("\n| one core, 500×375 to 224×224 | images/s, median | each round |\n|---|---|---|")
    for name, values in speeds.items():
        print(f"| {name} | {statistics.median(values):.0f} | {', '.join(f'{value:.0f}' for value in values)} |")
    ours = statistics.median(speeds["octnet"])
    for name in ("pillow", "decode_jpeg"):
        print(f"OctNet is {ours / statistics.median(speeds[name]):.2f} times as fast as {name}")


def measure_steps(options):
    """Alone, and fed from files and from a prepared file."""
    folder, prepared = options.directory / "photographs", options.directory / "photographs.images"
    if not prepared.exists():
        subprocess.run([options.octcli, "prepare", f"folder:{folder}", "--out", prepared, "--size", "256", "--crop-ratio", "1"],
                       check=True, stdout=subprocess.DEVNULL)
    print("\n| Oct-ResNet-50, α = 0.125, batch 16, ms | step alone | fed | preparing, core time | bar |\n|---|---|---|---|---|")
    for name, source in (("JPEGs", f"folder:{folder}"), ("prepared file", f"prepared:{prepared}")):
        found = octcli([*data_flags(source), "--steps", "--batches", options.batches, "--model", "resnet50", "--stem", "imagenet",
                        "--alpha", 0.125], options.octcli)
        alone, fed, core = found["ms_alone"], found["ms_fed"], found["ms_preparation"]
        bar = alone + 1.1 * core if name == "JPEGs" else 1.03 * alone
        print(f"| {name} | {alone:.0f} | {fed:.0f} | {core:.1f} | {bar:.0f} |")


def make_files(directory):
    """Copies of small photographs, 1,000 a class."""
    if (directory / "done").exists():
        return
    import io

    from PIL import Image

    contents = []
    for image in photographs().values():
        stream = io.BytesIO()
        image.resize((64, 48), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        contents.append(stream.getvalue())
    for half, count in (("train", FILES // CLASSES), ("test", 2)):
        for label in range(CLASSES):
            folder = directory / half / f"class{label:03}"
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                (folder / f"{index:04}.jpg").write_bytes(contents[index % len(contents)])
    (directory / "done").touch()


def measure_files(options):
    """100,000 of them: the first batch, and an epoch's memory."""
    make_files(options.directory / "files")
    if options.cold:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    found = octcli(data_flags(f"folder:{options.directory / 'files'}", size=32, batch=100), options.octcli)
    memory = ", ".join(f"{peak / 2**20:.0f}" for peak in found["peak_rss_bytes"])
    print(f"\n{found['images']} files{', caches empty' if options.cold else ''}: the first batch after "
          f"{found['seconds_to_first_batch']:.2f} s, {found['images_per_second']:.0f} images/s, "
          f"at most {memory} MiB until each quarter of the epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=["loaders", "steps", "files"])
    parser.add_argument("--octcli", default=".build/release/octcli")
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "octnet-photographs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=12, help="of a fed round of steps")
    parser.add_argument("--cold", action="store_true", help="empty the system's caches before listing (root)")
    options = parser.parse_args()
    options.octcli = str(pathlib.Path(options.octcli).resolve())
    options.directory = options.directory.resolve()
    print(f"{datetime.date.today()}, load {os.getloadavg()[0]:.1f} before")
    make_photographs(options.directory / "photographs")
    for what in options.what:
        {"loaders": measure_loaders, "steps": measure_steps, "files": measure_files}[what](options)


if __name__ == "__main__":
    main()
