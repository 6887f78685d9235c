"""CIFAR-10's binary version with every image written as JPEG and read again.

    pip install pillow numpy
    python Tools/cifar10/jpeg_round_trip.py cifar-10-batches-bin cifar-10-jpeg-bin
    python Tools/cifar10/jpeg_round_trip.py cifar-10-batches-bin cifar-10-jpeg-bin --folders cifar-10-jpeg

Takes the files data_batch_1.bin to data_batch_5.bin and test_batch.bin (records of a label byte and 1,024 bytes each of red,
green and blue), keeps the order of records and their labels, and writes files of the same names into a new folder. Chroma is
halved in both directions (4:2:0), as is Pillow's default. With --folders the JPEGs themselves are written, too, as
train/CLASS/NNNN.jpg and test/CLASS/NNNN.jpg, numbered from 0000 in each class in the order of the files. Nothing is overwritten.
"""

import argparse
import io
import pathlib
import sys

import numpy as np
from PIL import Image, __version__, features

TRAIN = [f"data_batch_{i}.bin" for i in range(1, 6)]
NAMES, RECORD, SIZE = "batches.meta.txt", 3073, 32


def class_names(source):
    names = (source / NAMES).read_text().split()
    if len(names) != 10:
        sys.exit(f"{source / NAMES}: expected 10 names of classes, found {len(names)}")
    return names


def read(path):
    """Records of a file, a row each."""
    raw = np.fromfile(path, np.uint8)
    if raw.size == 0 or raw.size % RECORD:
        sys.exit(f"{path}: expected records of {RECORD} bytes, found {raw.size} bytes")
    records = raw.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        sys.exit(f"{path}: expected labels from 0 to 9, found {records[:, 0].max()}")
    return records


def encoded(pixels, quality):
    """A JPEG of pixels [3, 32, 32]."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def decoded(jpeg):
    """Its pixels, [3, 32, 32]."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def convert(source, name, quality, names, counts, folder):
    """A file's records with the pixels that its JPEGs have; writes the JPEGs where there is a folder."""
    records = read(source / name)
    result = records.copy()
    for row, record in zip(result, records):
        jpeg = encoded(record[1:].reshape(3, SIZE, SIZE), quality)
        row[1:] = decoded(jpeg).reshape(-1)
        if folder:
            label = int(record[0])
            path = folder / names[label] / f"{counts[label]:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
            counts[label] += 1
    return result, np.abs(result[:, 1:].astype(int) - records[:, 1:]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="CIFAR-10's binary version")
    parser.add_argument("destination", type=pathlib.Path, help="new folder for files of the same names")
    parser.add_argument("--quality", type=int, default=75, help="of the JPEGs, 1 to 95 (default: 75)")
    parser.add_argument("--folders", type=pathlib.Path, metavar="DIR", help="new folder for the JPEGs themselves, by class")
    options = parser.parse_args()
    if not 1 <= options.quality <= 95:
        parser.error(f"--quality: expected 1 to 95, found {options.quality}")
    missing = [name for name in [*TRAIN, "test_batch.bin", NAMES] if not (options.source / name).is_file()]
    if missing:
        parser.error(f"{options.source} lacks {', '.join(missing)}")
    for path in filter(None, [options.destination, options.folders]):
        if path.exists():
            parser.error(f"{path} exists; nothing is overwritten")
    names = class_names(options.source)
    options.destination.mkdir(parents=True)
    print(f"Pillow {__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}, quality {options.quality}")
    for half, files in (("train", TRAIN), ("test", ["test_batch.bin"])):
        counts, folder = [0] * 10, options.folders / half if options.folders else None
        for name in files:
            records, difference = convert(options.source, name, options.quality, names, counts, folder)
            records.tofile(options.destination / name)
            print(f"{name}: {len(records)} images, pixels differ by {difference:.2f} of 255 in the mean", flush=True)
    (options.destination / NAMES).write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
