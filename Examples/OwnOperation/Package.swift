// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "OwnOperation",
  dependencies: [.package(name: "OctNet", path: "../..")],
  targets: [
    // Optimised in debug builds too: the operation's loops are Swift.
    .target(
      name: "OwnOperation", dependencies: [.product(name: "OctNetInference", package: "OctNet")],
      path: "Sources/OwnOperation", swiftSettings: [.unsafeFlags(["-O"])]),
    .executableTarget(
      name: "own-operation", dependencies: ["OwnOperation", .product(name: "OctNet", package: "OctNet")],
      path: "Sources/Program"),
    .testTarget(
      name: "OwnOperationTests",
      dependencies: ["OwnOperation", .product(name: "OctNetTesting", package: "OctNet")]),
  ])
