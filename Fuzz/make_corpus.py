#!/usr/bin/env python3
"""Makes the files that the fuzzers begin with: small valid ones of every kind, and some that are cut or contradict themselves.

Usage: python3 Fuzz/make_corpus.py, in the repository. Needs no packages. What fuzzing found later lies beside them.
"""
import gzip
import io
import json
import pathlib
import struct
import tarfile
import zipfile

root = pathlib.Path(__file__).parent / "Corpus"


def write(reader: str, name: str, data: bytes) -> None:
    path = root / reader / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


one = {"fc.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
write("safetensors", "one.safetensors", safetensors(one, bytes(4)))
write("safetensors", "none.safetensors", safetensors({}))
write("safetensors", "metadata.safetensors", safetensors({"__metadata__": {"octnet.version": "1"}, **one}, bytes(4)))
model = {"name": "resnet20", "alpha": 0.25, "stem": "cifar", "variant": "paper", "downsampling": "average",
         "lowToHigh": True, "highToLow": True, "classes": 2, "inputHeight": 8, "inputWidth": 8, "inputChannels": 1}
meta = {"octnet.version": "1", "octnet.model": json.dumps(model), "octnet.class_names": '["a","b"]',
        "octnet.normalization": '{"mean":[0.5],"std":[0.25]}', "octnet.data": "synthetic"}
write("safetensors", "model.safetensors", safetensors({"__metadata__": meta, **one}, bytes(4)))
write("safetensors", "types.safetensors", safetensors(
    {"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}, "b": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [4, 8]},
     "n.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]},
     "d": {"dtype": "F64", "shape": [0], "data_offsets": [16, 16]}}, bytes(16)))
write("safetensors", "large.safetensors", safetensors(
    {"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}, bytes(4)))
write("safetensors", "overlap.safetensors", safetensors(
    {"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}, bytes(3)))
write("safetensors", "state.safetensors", safetensors(
    {"__metadata__": {"octnet.version": "1", "octnet.position": '{"epoch":1,"batch":0,"step":4}',
                      "octnet.configuration": "{}", "octnet.log": '{"rows":[]}', "octnet.results": "{}"}}))

for name, text in {
    "scalars": '[0, -1.5e-3, true, false, null, "\\u00e9\\ud83d\\ude00\\n", {}, []]',
    "nested": "[" * 70 + "]" * 70,
    "numbers": '[1e999, -0, 18446744073709551616, 1E+2, 0.1]',
    "twice": '{"epochs": 1, "epochs": 2}',
    "cut": '{"epochs": 1, "batchSize"',
}.items():
    write("json", name + ".json", text.encode())
# Whole and valid: every key that has no default, so that what is changed in them comes to be validated.
run = {"data": "synthetic", "epochs": 3, "batchSize": 50, "seed": 0, "threads": 2, "weightDecay": 0.0001,
       "excludeNormsAndBiases": False, "labelSmoothing": 0.1, "accumulationSteps": 1, "evaluateEvery": 1, "bestMetric": "top1",
       "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": False},
       "schedule": {"base": 0.1, "shape": {"name": "cosine"}, "warmupEpochs": 0},
       "augmentation": {"cropPadding": 4, "horizontalFlip": True},
       "normalization": {"mean": [0.5], "std": [0.25]}, "model": model}
more = {"clipGradientNorm": 1, "emaDecay": 0.9, "mixupAlpha": 0.2, "cutmixAlpha": 1, "mixupSwitchProbability": 0.5, "shards": 2,
        "reduceDtype": "bfloat16", "validation": 0.1, "testLimit": 20, "earlyStoppingEpochs": 2, "lastEpochShare": 0.5}
write("json", "run.json", json.dumps(run).encode())
write("json", "settings.json", json.dumps({**run, **more}).encode())
write("json", "study.json", json.dumps({"alphas": [0, 0.5], "ablationAlpha": 0.5, "seeds": 2, "base": run}).encode())
write("json", "results.json", json.dumps({"outcome": "finished", "epochs": 1, "best": {"epoch": 1, "evaluation": {
    "images": 2, "top1": 0.5, "top5": 1, "loss": 0.7, "classNames": ["a", "b"], "perClassAccuracy": [1, None],
    "confusion": [[1, 0], [1, 0]]}}}).encode())

for name, text in {
    "run": "epochs: 3\nbatchSize: 50\noptimizer: adam\nschedule:\n  base: 0.1\n  shape: cosine\nmodel: {name: resnet20, alpha: 0.5}\n",
    "words": "recipe: paper\nthreads: 2\nmixup: 0.2 # share\ndata: 'synthetic'\n\"seed\": 0x1F\n",
    "lists": "normalization:\n  mean: [0.5, .5, 5e-1]\n  std:\n    - 0.2\n    - 0.25\n    - 1_0\n",
    "refused": "a: &x 1\nb: *x\nc: !!int 3\nd: |\n  text\n",
    "nested": "a: " + "[" * 80,
    "twice": "epochs: 1\nepochs: 2\n",
    "model": "model:\n  inputHeight: 99999999999999999999\n  alpha: .inf\n  name: ~\n",
}.items():
    write("yaml", name + ".yaml", text.encode())

head = "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate\n"
for name, text in {
    "run": head + "1,2.1,0.2,2.0,0.25,0.7,0.1\n2,1.9,0.3,,,,0.05\n\0epoch,seconds\n1,3.5\n2,3.4\n",
    "nan": head + "1,nan,0.2,inf,0.25,0.7,0.1\n",
    "order": head + "2,1,0.2,1,0.2,0.7,0.1\n1,1,0.2,1,0.2,0.7,0.1\n",
    "cells": head + "1,2\n",
    "empty": "",
    "times": head + "1,2.1,0.2,2.0,0.25,0.7,0.1\n\0epoch,seconds\n1,-3\n",
}.items():
    write("log", name + ".csv", text.encode())



def packed(data: bytes) -> bytes:
    """By gzip, at a time with which `FuzzReader.readIDX` is among those that it unpacks."""
    def rest(file: bytes) -> int:
        result = 0
        for byte in file:
            result = (31 * result + byte) & 63
        return result

    return next(file for file in (gzip.compress(data, mtime=time) for time in range(10_000)) if rest(file) == 0)


images = struct.pack(">4B3I", 0, 0, 8, 3, 1, 2, 2) + bytes(range(4))
write("idx", "images.idx", images)
write("idx", "labels.idx", struct.pack(">4BI", 0, 0, 8, 1, 3) + b"\0\1\2")
write("idx", "wide.idx", struct.pack(">4B2I", 0, 0, 12, 2, 1, 8) + bytes(32))
write("idx", "huge.idx", struct.pack(">4B3I", 0, 0, 8, 3, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF))
write("idx", "empty.idx", struct.pack(">4B3I", 0, 0, 8, 3, 0, 1, 1))
write("idx", "images.idx.gz", packed(images))
write("idx", "cut.idx", images[:14])

record = bytes([3]) + bytes(3072)
for choice, data in {0: record, 4: record * 2, 20: record[:100], 24: b"cat\ndog\n", 1: bytes([1]) + record, 3: bytes([19, 99]) + bytes(3072),
                     9: b"a\n" * 100, 8: bytes([10]) + bytes(3072)}.items():
    write("cifar", f"choice-{choice}.bin", bytes([choice]) + data)



def crc32c(data: bytes) -> int:
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def prepared(images: int, **changes: object) -> bytes:
    """Two parts of so many images of two pixels, as docs/prepared.md says."""
    page = 4096 if images else 0
    index = {"data": "synthetic", "height": 1, "width": 2, "channels": 3, "classNames": ["a", "b"],
             "normalization": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
             "parts": [{"part": "train", "name": "t", "images": images, "pixels": 4096},
                       {"part": "test", "name": "e", "images": images, "pixels": 4096 + page}], **changes}
    text = json.dumps(index, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    pixels = bytes(range(6 * images))
    body = (pixels + bytes(page - len(pixels))) * 2 if images else b""
    entries = b"".join(struct.pack("<2I", n % 2, crc32c(pixels[6 * n:6 * n + 6])) for n in range(images)) * 2
    place, size = 4096 + len(body), 4096 + len(body) + len(text) + len(entries)
    header = b"\x89OCTIMG\n" + struct.pack("<2I3QI", 1, 0, size, place, len(text), crc32c(text + entries))
    header += struct.pack("<I", crc32c(header))
    return header + bytes(4096 - len(header)) + body + text + entries


write("prepared", "two.images", prepared(2))
write("prepared", "none.images", prepared(0))
write("prepared", "cut.images", prepared(2)[:5000])
write("prepared", "huge.images", prepared(0, height=16384, width=16384, channels=1024))
write("prepared", "parts.images", prepared(0, parts=[]))
write("prepared", "classes.images", prepared(1, classNames=[]))



def tar(members: list[tuple[str, bytes]], kind: int = tarfile.USTAR_FORMAT, **changes: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            for key, value in changes.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


pixel = bytes.fromhex("89504e470d0a1a0a")
sample = [("a/0001.png", pixel), ("a/0001.cls", b"3\n"), ("a/0002.png", pixel), ("a/0002.json", b'{"label": "cat"}')]
write("tar", "samples.tar", tar(sample)[:6144])
write("tar", "long-gnu.tar", tar([("x" * 150 + "/0.png", pixel)], tarfile.GNU_FORMAT)[:4096])
write("tar", "long-pax.tar", tar([("ä" * 150 + "/0.cls", b"1")], tarfile.PAX_FORMAT)[:4096])
write("tar", "nested.tar", tar([("n01.tar", tar([("1.png", pixel)])[:2048])])[:4096])
write("tar", "link.tar", tar([("a", b"")], type=tarfile.SYMTYPE, linkname="b")[:2048])
write("tar", "cut.tar", tar(sample)[:700])
huge = bytearray(tar([("a.png", pixel)])[:2048])
huge[124:136] = b"\x80" + b"\xff" * 11
huge[148:156] = b" " * 8
huge[148:156] = b"%06o\0 " % sum(huge[:512])
write("tar", "huge.tar", bytes(huge))
header = b"\x89OCTIDX\n" + struct.pack("<IIQqIIQ", 1, 0, 2048, 5, 1, 1, 1)
body = struct.pack("<I", 3) + b"cat" + struct.pack("<QI", 2, 4) + b"link" + struct.pack("<QQII", 512, 8, 0, 5) + b"0.png"
write("tar", "index.octidx", header + body + struct.pack("<I", crc32c(header + body)))

weights = pathlib.Path(__file__).parent.parent / "Tests/OctNetTests/Fixtures/weights"
for path in sorted(weights.iterdir()):
    kind = {".pth": "torch", ".npz": "numpy", ".params": "mxnet"}.get(path.suffix)
    if kind and path.stat().st_size <= 4096:
        write(kind, path.name, path.read_bytes())


def npy(descr: str, shape: str, data: bytes, order: str = "False") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def npz(method: int, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), data, method)
    return file.getvalue()


write("numpy", "kinds.npz", npz(zipfile.ZIP_DEFLATED, a=npy("'>f2'", "(2, 2)", bytes(8), "True"), b=npy("'|b1'", "()", b"\1"), c=npy("'<u8'", "(0,)", b"")))
write("numpy", "huge.npz", npz(zipfile.ZIP_STORED, a=npy("'<f4'", "(4611686018427387904, 4)", bytes(4))))
write("numpy", "record.npz", npz(zipfile.ZIP_STORED, a=npy("[('x', '<f4')]", "(1,)", bytes(4))))
bomb = npz(zipfile.ZIP_DEFLATED, a=npy("'|u1'", "(60000,)", bytes(60000)))
write("numpy", "zeros.npz", bomb)
place = bomb.rindex(b"PK\1\2")
write("numpy", "bomb.npz", bomb[:place + 24] + struct.pack("<I", 1 << 31) + bomb[place + 28:])
write("mxnet", "sparse.params", struct.pack("<3QIi", 0x112, 0, 1, 0xF993FAC9, 1) + bytes(40))
write("mxnet", "huge.params", struct.pack("<3QIiI2q3i", 0x112, 0, 1, 0xF993FAC9, 0, 2, 1 << 40, 1 << 40, 1, 0, 0) + bytes(16))
write("mxnet", "many.params", struct.pack("<3Q", 0x112, 0, 1 << 60) + bytes(16))

# Legacy files of PyTorch whose pickle does what it should not.
magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + b"\x80\x02M\xe9\x03." + b"\x80\x02}."
storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0aX\3\0\0\0cpuK\4NtQ"


def tensor(offset: int, size: bytes, stride: bytes) -> bytes:
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K" + bytes([offset]) + size + stride + b"\x89}tR"


def legacy(value: bytes, tail: bytes = b"\x80\2]X\1\0\0\0aa." + struct.pack("<Q4f", 4, 1, 2, 3, 4)) -> bytes:
    return magic + b"\x80\x02}X\1\0\0\0w" + value + b"s." + tail


write("torch", "legacy-small.pth", legacy(tensor(0, b"K\2K\2\x86", b"K\1K\2\x86")))
write("torch", "outside.pth", legacy(tensor(1, b"K\2K\2\x86", b"K\2K\1\x86")))
write("torch", "expanded.pth", legacy(tensor(0, b"J\0\0\0\x7fJ\0\0\0\x7f\x86", b"K\0K\0\x86")))
write("torch", "system.pth", legacy(b"cposix\nsystem\nX\4\0\0\0true\x85R"))
write("torch", "deep.pth", legacy(b"]" * 900 + b"a" * 899))
write("torch", "itself.pth", legacy(b"]q\1h\1a"))
write("torch", "copies.pth", legacy(b"]q\1" + b"]K\1aK\1aa" * 90 + b"0" + b"ccollections\nOrderedDict\nh\1\x85R0" * 60 + b"N"))

fixtures = pathlib.Path(__file__).parent.parent / "Tests/OctNetImagesTests/Fixtures"
for path in sorted(fixtures.iterdir()):
    kind = {".png": "png", ".jpg": "jpeg", ".webp": "webp", ".tif": "tiff", ".bmp": "bmp"}.get(path.suffix)
    if kind and path.stat().st_size <= 4096:
        write(kind, path.name, path.read_bytes())
