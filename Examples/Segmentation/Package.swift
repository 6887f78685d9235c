// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Segmentation",
  dependencies: [.package(name: "OctNet", path: "../..")],
  targets: [
    // Optimised in debug builds too: the loss and the images are loops in Swift.
    .executableTarget(
      name: "segmentation", dependencies: [.product(name: "OctNet", package: "OctNet")],
      path: "Sources/Segmentation", swiftSettings: [.unsafeFlags(["-O"])])
  ])
