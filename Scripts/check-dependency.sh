#!/usr/bin/env bash
# Proves that OctNet works as a *versioned* dependency: clones the repository, tags the clone, and builds and runs a
# scratch package that asks for it by version and trains two steps of a network of its own with public API only. Fails
# where that builds a dependency that only octcli and OctNetTensorBoard have.
# Usage: Scripts/check-dependency.sh [scratch directory, kept; a temporary one, removed, if left out]
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
version=0.1.0

if [ $# -gt 0 ]; then
  mkdir -p "$1"
  scratch=$(cd "$1" && pwd)
  rm -rf "$scratch/OctNet" "$scratch/Consumer/Sources" "$scratch/Consumer/Package.swift"
else
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi

git clone --quiet "$repository" "$scratch/OctNet"
git -C "$scratch/OctNet" -c user.name=check -c user.email=check@example.invalid \
  tag --force --annotate "$version" --message "Scratch tag of check-dependency.sh"

mkdir -p "$scratch/Consumer/Sources/Consumer"
cat > "$scratch/Consumer/Package.swift" <<EOF
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Consumer",
  dependencies: [.package(url: "file://$scratch/OctNet", from: "$version")],
  targets: [
    .executableTarget(name: "Consumer", dependencies: [.product(name: "OctNet", package: "OctNet")])
  ])
EOF
cp "$repository/Scripts/consumer.swift" "$scratch/Consumer/Sources/Consumer/main.swift"

cd "$scratch/Consumer"
swift package update --quiet
swift run Consumer

modules=$(cd "$(swift build --show-bin-path)/Modules" && echo *.swiftmodule)
if [ "$modules" != 'Consumer.swiftmodule OctNet.swiftmodule' ]; then
  echo "error: a program that links only OctNet built $modules" >&2
  exit 1
fi
