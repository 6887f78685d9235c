// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Set by Scripts/fuzz.sh, which fuzzes the readers of files: kernels take long to instrument and read none.
let isFuzzing = Context.environment["OCTNET_FUZZ"] != nil

// Apple's compiler has no OpenMP: there, as without the trait, everything runs on one thread.
let withOpenMP: BuildSettingCondition = .when(platforms: [.linux], traits: ["OpenMP"])

// Debian and Ubuntu link LLVM's OpenMP under a name of its own, so that several versions can be installed.
let openMP = FileManager.default.fileExists(atPath: "/etc/debian_version") ? "omp5" : "omp"

// -O3 comes after SwiftPM's own -O0, so the kernels are fast in debug builds too and a bare
// `swift run octcli train` is usable. Tools version 6.2 allows unsafe flags in a versioned dependency.
let kernelFlags: [CSetting] = [
  .unsafeFlags(
    ["-O3", "-Wall", "-Wextra", "-Wno-unknown-pragmas"] + (isFuzzing ? ["-O1", "-fno-sanitize=all"] : [])),
  .unsafeFlags(["-fopenmp"], withOpenMP),
]

// PNG, JPEG, WebP and TIFF come from system libraries, which only this trait needs.
let withImages: BuildSettingCondition = .when(traits: ["Images"])

// Training on several machines, through the MPI of the system.
let withMPI: BuildSettingCondition = .when(traits: ["MPI"])

let package = Package(
  name: "OctNet",
  products: [
    .library(name: "OctNet", targets: ["OctNet"]),
    .library(name: "OctNetInference", targets: ["OctNetInference"]),
    .library(name: "OctNetTesting", targets: ["OctNetTesting"]),
    .library(name: "OctNetImages", targets: ["OctNetImages"]),
    .library(name: "OctNetTensorBoard", targets: ["OctNetTensorBoard"]),
    .library(name: "OctNetONNX", targets: ["OctNetONNX"]),
    .library(name: "OctNetMPI", targets: ["OctNetMPI"]),
    .executable(name: "octcli", targets: ["octcli"]),
  ],
  traits: [
    .default(enabledTraits: ["OpenMP"]),
    .trait(
      name: "OpenMP",
      description: "All processors, by LLVM's OpenMP; needs libomp-dev. Without it, one thread."),
    // With OpenMP, since traits on the command line are in place of the default ones, and nobody who asks for images
    // wants one thread.
    .trait(
      name: "Images",
      description:
        "PNG, JPEG, WebP, TIFF and BMP for octcli predict and --data folder:DIR; needs libpng-dev, libjpeg-dev, libwebp-dev and libtiff-dev. Brings OpenMP.",
      enabledTraits: ["OpenMP"]),
    .trait(
      name: "MPI",
      description: "octcli train on several machines; needs libopenmpi-dev or libmpich-dev. Brings OpenMP.",
      enabledTraits: ["OpenMP"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    // MARK: Library
    .target(
      name: "CKernels",
      cSettings: kernelFlags,
      linkerSettings: [.linkedLibrary(openMP, withOpenMP)]),
    .target(name: "OctNetSupport"),
    .target(name: "OctNetCore", dependencies: ["OctNetSupport", "CKernels"]),
    .target(name: "OctNetModels", dependencies: ["OctNetCore"]),
    .target(name: "OctNetCheckpoint", dependencies: ["OctNetModels"]),
    // What a server links: neither training nor data, studies or reports.
    .target(
      name: "OctNetInference",
      dependencies: ["OctNetSupport", "OctNetCore", "OctNetModels", "OctNetCheckpoint"]),
    // Changes of 8-bit pixels as Pillow makes them; needs no library of the system.
    .target(name: "CTransforms", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Wextra"])]),
    .target(name: "OctNetData", dependencies: ["OctNetCore", "CTransforms"]),
    .target(name: "OctNetTraining", dependencies: ["OctNetCheckpoint", "OctNetData"]),
    .target(name: "OctNetBenchmark", dependencies: ["OctNetTraining"]),
    .target(name: "OctNetStudy", dependencies: ["OctNetBenchmark"]),
    .target(name: "OctNetReport", dependencies: ["OctNetTraining"]),
    // All of them, by one import.
    .target(
      name: "OctNet",
      dependencies: [
        "OctNetInference", "OctNetData", "OctNetTraining", "OctNetBenchmark", "OctNetStudy", "OctNetReport",
      ]),
    // Checks of gradients for operations and layers of one's own; for tests.
    .target(name: "OctNetTesting", dependencies: ["OctNetCore"]),
    // Apart, so that who links OctNet alone builds no swift-protobuf.
    .target(
      name: "OctNetTensorBoard",
      dependencies: ["OctNet", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    // Apart for the same reason.
    .target(
      name: "OctNetONNX",
      dependencies: ["OctNetInference", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),

    // Empty without the trait.
    .target(
      name: "CImages",
      dependencies: ["CTransforms"],
      cSettings: [.unsafeFlags(["-O3", "-Wall", "-Wextra"]), .define("OCT_IMAGES", withImages)],
      linkerSettings: ["png", "jpeg", "webp", "tiff"].map { .linkedLibrary($0, withImages) }),
    .target(name: "OctNetImages", dependencies: ["OctNet", "CImages", "CTransforms"]),

    // Empty without the trait.
    .target(
      name: "CMPI",
      cSettings: [.unsafeFlags(["-O3", "-Wall", "-Wextra"]), .define("OCT_MPI", withMPI)],
      linkerSettings: [.linkedLibrary("mpi", withMPI)]),
    .target(name: "OctNetMPI", dependencies: ["OctNetTraining", "CMPI"]),

    // MARK: Command line
    // Settings in YAML and JSON, as octcli reads them.
    .target(
      name: "OctNetSettings", dependencies: ["OctNet", .product(name: "Yams", package: "Yams")]),
    .executableTarget(
      name: "octcli",
      dependencies: [
        "OctNet", "OctNetImages", "OctNetMPI", "OctNetONNX", "OctNetSettings", "OctNetTensorBoard",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // MARK: Tests
    // Plain-loop oracles in double precision; never part of a product.
    .target(name: "CReference", path: "Tests/CReference", cSettings: [.unsafeFlags(["-O2"])]),
    // Networks that follow from a seed, and that nobody would think of.
    .target(name: "RandomNetworks", dependencies: ["OctNet"], path: "Tests/RandomNetworks"),
    // The readers of files as functions of bytes, for fuzzing and for replaying what it found.
    .target(
      name: "FuzzReaders", dependencies: ["OctNet", "OctNetImages", "OctNetSettings"], path: "Fuzz/Readers"),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzReaders"]),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels", "CReference"]),
    .testTarget(
      name: "OctNetTests",
      dependencies: ["OctNet", "OctNetImages", "OctNetTesting", "RandomNetworks", "CKernels"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "OctNetTensorBoardTests",
      dependencies: [
        "OctNet", "OctNetTensorBoard", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "OctNetONNXTests",
      dependencies: [
        "OctNet", "OctNetONNX", "RandomNetworks", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "OctNetImagesTests", dependencies: ["OctNetImages", "OctNet"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "octcliTests",
      dependencies: [
        "OctNet", "OctNetMPI", "OctNetTensorBoard", "octcli",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)

// libFuzzer brings main: only Scripts/fuzz.sh, which links it, builds this.
if isFuzzing {
  package.targets.append(
    .executableTarget(
      name: "octfuzz", dependencies: ["FuzzReaders"], path: "Fuzz/Driver",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
