import Foundation
import RandomNetworks
import Testing

import OctNet
import OctNetONNX
@testable import OctNetTraining

/// A Python that has ONNX Runtime.
enum PythonONNX {
  /// `OCTNET_ONNX_PYTHON`, else `python3` where it has the packages. A Python that was named is not questioned.
  static let program: String? = {
    if let named = ProcessInfo.processInfo.environment["OCTNET_ONNX_PYTHON"] { return named }
    let found = try? run("python3", ["-c", "import onnx, onnxruntime, numpy"])
    return found?.status == 0 ? "python3" : nil
  }()

  static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}

/// What ONNX Runtime and, where it is installed, OpenVINO make of exported networks, by `Tools/onnx/check.py`.
@Suite(
  .enabled(
    if: PythonONNX.program != nil,
    "no python3 with the packages onnx and onnxruntime; OCTNET_ONNX_PYTHON names another Python"))
struct RuntimeTests {
  /// Writes models and what OctNet computes beside them, and has them checked together.
  private final class Comparison {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("onnx-" + UUID().uuidString)
    private var files: [String] = []

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func add(
      _ name: String, _ network: Network, input: ONNXModel.Input = .normalized,
      norms: ONNXModel.Norms = .folded, batch: Int = 2
    ) throws {
      let model = try ONNXModel(network, input: input, norms: norms)
      let paths = ["onnx", "safetensors"].map { directory.appendingPathComponent(name + "." + $0).path }
      try model.write(to: paths[0])
      try expected(network, input, batch, names: model.outputs.map(\.name)).write(to: paths[1])
      files += paths
    }

    /// Images and outputs in ONNX's order.
    private func expected(
      _ network: Network, _ input: ONNXModel.Input, _ batch: Int, names: [String]
    ) throws -> SafetensorsFile {
      let shape = network.inputShape
      var stream = RandomStream(seed: 5, "images")
      var file = SafetensorsFile()
      let images: [Float]
      switch input {
      case .normalized:
        images = (0..<batch * shape.count).map { _ in stream.normal() }
        file.entries.append(.init(name: "image", tensor: Self.planes(images, shape, batch)))
      case .bytes(let normalization):
        let bytes = (0..<batch * shape.count).map { _ in UInt8(stream.index(below: 256)) }
        images = normalization(bytes)
        let planes = Self.planes(bytes.map(Float.init), shape, batch)
        file.entries.append(
          .init(name: "image", dtype: .u8, shape: planes.shape, bytes: planes.values.map { UInt8($0) }))
      }
      let session = try InferenceSession(network: network, batchSize: batch, threads: 2)
      let values = try session.outputs(images: images)
      for (index, output) in session.outputs.enumerated() {
        var tensor = Self.planes(try #require(values[output.name]), output.shape, batch)
        if index == 0, output.shape.pixels == 1 { tensor.shape = [batch, output.shape.channels] }
        file.entries.append(.init(name: names[index], tensor: tensor))
      }
      return file
    }

    private static func planes(_ values: [Float], _ shape: MapShape, _ batch: Int) -> Tensor {
      var planes = Tensor(zeros: [batch, shape.channels, shape.height, shape.width])
      for image in 0..<batch {
        for pixel in 0..<shape.pixels {
          for channel in 0..<shape.channels {
            planes.values[(image * shape.channels + channel) * shape.pixels + pixel] =
              values[(image * shape.pixels + pixel) * shape.channels + channel]
          }
        }
      }
      return planes
    }

    func check(tolerance: Double = 1e-5) throws {
      let program = try #require(PythonONNX.program)
      let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Tools/onnx/check.py").standardized.path
      let result = try PythonONNX.run(program, [script, "--tolerance", "\(tolerance)"] + files)
      #expect(result.status == 0, "\(result.text)")
    }
  }

  private static func scattered(_ network: Network, _ seed: UInt64 = 1) -> Network {
    var stream = RandomStream(seed: seed, "norms")
    network.scatterNorms(&stream)
    return network
  }

  /// Running statistics of random images, as training leaves them: with those that a network begins with, numbers grow from
  /// block to block until rounding does, too.
  private static func settle(_ network: Network) throws {
    let session = try TrainingSession(network: network, batchSize: 2, threads: 2)
    var stream = RandomStream(seed: 3, "statistics")
    for _ in 0..<20 {
      let images = (0..<2 * network.inputShape.count).map { _ in stream.normal() }
      _ = session.step(images: images, labels: [0, 1], count: 2)
    }
  }

  /// Networks of each family, small, at an odd size, and with two octaves where it can have them.
  @Test func families() throws {
    let comparison = try Comparison()
    let wanted = ["resnet20", "resnet26v2", "resnext50_32x4d", "seresnet50", "densenet121"]
    for model in NamedModel.all where (wanted + ["mobilenet_v1", "mobilenet_v2"]).contains(model.name) {
      for alpha in [0, 0.25] where model.alphas.contains(alpha) {
        let network = try ModelConfiguration(
          name: model.name, alpha: alpha, classes: 5, inputHeight: 49, inputWidth: 40
        ).makeNetwork(seed: 1)
        try Self.settle(network)
        try comparison.add("\(model.name)-\(alpha)", network)
      }
    }
    // Deep networks that have not learnt enlarge rounding: 1.1e-5 was seen in DenseNet-121 and SE-ResNet-50.
    try comparison.check(tolerance: 3e-5)
  }

  @Test func bytesAndKeptNorms() throws {
    let comparison = try Comparison()
    let network = try Self.scattered(ModelConfiguration(name: "resnet20", alpha: 0.5).makeNetwork(seed: 1))
    try comparison.add("raw", network, input: .bytes(.cifar10))
    try comparison.add("kept", network, norms: .kept)
    try comparison.add("one", network, batch: 1)
    try comparison.check()
  }

  /// All kinds of operations, in orders that nobody would think of. Their norms of single pixels enlarge rounding.
  @Test func randomNetworks() throws {
    let comparison = try Comparison()
    for seed in 0..<UInt64(40) {
      let network = try Self.scattered(RandomNetwork(seed: seed).make(), seed)
      try comparison.add("random-\(seed)", network, norms: seed % 3 == 0 ? .kept : .folded)
    }
    try comparison.check(tolerance: 1e-4)
  }

  /// Features as outputs, by the network's own names.
  @Test func severalOutputs() throws {
    let comparison = try Comparison()
    let resnet = try ResNet(ModelConfiguration(name: "resnet18", alpha: 0.25, stem: .cifar))
    let shape = MapShape(height: 17, width: 23, channels: 3)
    try comparison.add("features", Network(inputShape: shape, seed: 1) { try resnet.features($0) })
    try comparison.check()
  }
}
