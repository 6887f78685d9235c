#!/usr/bin/env bash
# Generates Sources/OctNetONNX/Generated from the onnx.proto that the Python package onnx brings, in the version that
# requirements.txt beside this script names. Needs python3 with pip and protoc (Debian: protobuf-compiler); builds
# protoc-gen-swift of the swift-protobuf that the package resolves to, half a minute. Run it after a change of that version
# and commit what it wrote.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$(grep '^onnx==' "$here/requirements.txt")"
python3 - "$work" <<'PYTHON'
import glob, pathlib, sys, zipfile
wheel, = glob.glob(sys.argv[1] + "/onnx-*.whl")
pathlib.Path(sys.argv[1], "onnx.proto").write_bytes(zipfile.ZipFile(wheel).read("onnx/onnx.proto"))
PYTHON
swift package --package-path "$repository" resolve
plugin=$repository/.build/checkouts/swift-protobuf
scratch=$repository/.build/protoc-gen-swift
swift build --package-path "$plugin" --scratch-path "$scratch" --product protoc-gen-swift
output=$repository/Sources/OctNetONNX/Generated
mkdir -p "$output"
rm -f "$output"/*.pb.swift
protoc --proto_path="$work" --plugin="$scratch/debug/protoc-gen-swift" --swift_out="$output" "$work/onnx.proto"
