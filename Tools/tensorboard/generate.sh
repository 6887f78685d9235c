#!/usr/bin/env bash
# Generates Sources/OctNetTensorBoard/Generated from the .proto files beside this script. Needs protoc (Debian:
# protobuf-compiler); builds protoc-gen-swift of the swift-protobuf that the package resolves to, half a minute.
# Run it after a change of a .proto file and commit what it wrote.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
swift package --package-path "$repository" resolve
plugin=$repository/.build/checkouts/swift-protobuf
scratch=$repository/.build/protoc-gen-swift
swift build --package-path "$plugin" --scratch-path "$scratch" --product protoc-gen-swift
output=$repository/Sources/OctNetTensorBoard/Generated
mkdir -p "$output"
rm -f "$output"/*.pb.swift
protoc --proto_path="$here" --plugin="$scratch/debug/protoc-gen-swift" --swift_out="$output" "$here"/*.proto
