// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "FineTuning",
  dependencies: [.package(name: "OctNet", path: "../..")],
  targets: [
    .executableTarget(
      name: "fine-tuning", dependencies: [.product(name: "OctNet", package: "OctNet")],
      path: "Sources/FineTuning", swiftSettings: [.unsafeFlags(["-O"])])
  ])
