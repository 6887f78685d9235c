import CKernels
import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetTraining

/// Muon on octave convolutions: the paths that are added up in one map are one matrix.
@Suite struct OctaveMuonTests {
  static let muon = OptimizerConfiguration.muon(
    momentum: 0.6, nesterov: true, iterations: 3, normalizesWeights: true)

  /// Filters and nothing else: 5 + 3 channels from 3, 6 + 3 from them, and 40 from these, which are more rows than columns.
  static func network() throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: 4) { x in
      func layer(
        _ name: String, _ outputs: Int, _ kernel: Int, _ alphas: (Double, Double), _ x: OctFeature
      ) throws -> OctFeature {
        try OctConv2d(
          name, inputChannels: x.channels, outputChannels: outputs, kernelSize: kernel, padding: kernel / 2,
          alphaIn: alphas.0, alphaOut: alphas.1)(x)
      }
      let two = try layer("two", 9, 3, (0.4, 0.34), layer("one", 8, 3, (0, 0.4), x))
      return try layer("three", 40, 1, (0.34, 0), two)
    }
  }

  static let matrices = [
    ["one.conv_h2l"], ["one.conv_h2h"], ["two.conv_l2l", "two.conv_h2l"], ["two.conv_h2h", "two.conv_l2h"],
    ["three.conv_h2h", "three.conv_l2h"],
  ]

  /// Random numbers for each parameter as they lie in the store, zeros where that has no numbers.
  static func gradients(of network: Network, step: Int) -> [Float] {
    var stream = RandomStream(seed: 5, "gradients", step)
    var gradients = [Float](repeating: 0, count: network.parameters.count)
    gradients.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for entry in network.parameters.entries {
        let values = (0..<entry.shape.reduce(1, *)).map { _ in stream.normal() }
        entry.pack(values, into: base + entry.range.lowerBound)
      }
    }
    return gradients
  }

  private func names(_ optimizer: Optimizer) -> [[String]] {
    optimizer.matrices.map { $0.paths.map { $0.entry.name.replacing(".weight", with: "") } }
  }

  // MARK: Which paths are one

  /// In networks with shortcuts, groups, several sources and convolutions of each channel alone.
  @Test(arguments: ["resnet20", "resnext50_32x4d", "mobilenet_v2", "densenet121", "airbench94"])
  func pathsIntoAMapAreOneMatrix(name: String) throws {
    for alpha in [0, 0.25] {
      let network = try ModelConfiguration(
        name: name, alpha: alpha, classes: 10, inputHeight: 32, inputWidth: 32
      ).makeNetwork()
      let matrices = names(Optimizer(parameters: network.parameters, configuration: .muon, threads: 1))
      // The layer and the octave that it writes to.
      func target(_ path: String) -> String {
        let start = String(path.dropLast(3))
        return start.hasSuffix(".conv_") ? start + String(path.suffix(1)) : path
      }
      for matrix in matrices { #expect(Set(matrix.map(target)).count == 1, "\(matrix)") }
      #expect(Set(matrices.map { target($0[0]) }).count == matrices.count)
      #expect(matrices.contains { $0.count == 2 } == (alpha > 0))
      // The map's own octave comes first.
      for matrix in matrices where matrix.count == 2 {
        #expect(matrix[0].hasSuffix("h2h") || matrix[0].hasSuffix("l2l"), "\(matrix)")
      }
    }
  }

  @Test func frozenPathsAndSettingsOfTheirOwnDivideMatrices() throws {
    let network = try Self.network()
    try network.freeze("two.conv_l2l")
    let optimizer = try Optimizer(
      parameters: network.parameters, configuration: .muon,
      groups: [
        ParameterGroup("three.conv_l2h", weightDecay: 0.1), ParameterGroup("one", learningRateScale: 2),
      ], threads: 1)
    #expect(
      names(optimizer) == [
        ["one.conv_h2l"], ["one.conv_h2h"], ["two.conv_h2h", "two.conv_l2h"], ["two.conv_h2l"],
        ["three.conv_l2h"], ["three.conv_h2h"],
      ])
  }

  // MARK: What an update is

  /// In double precision, row by row.
  private typealias Matrix = [[Double]]

  private static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
    a.map { row in b[0].indices.map { column in zip(row, b).reduce(0) { $0 + $1.0 * $1.1[column] } } }
  }

  private static func transposed(_ a: Matrix) -> Matrix {
    a[0].indices.map { column in a.map { $0[column] } }
  }

  private static func norm(_ a: Matrix) -> Double {
    a.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// a · A + b · B.
  private static func sum(_ a: Double, _ first: Matrix, _ b: Double, _ second: Matrix) -> Matrix {
    zip(first, second).map { zip($0, $1).map { a * $0 + b * $1 } }
  }

  private static func orthogonal(_ matrix: Matrix, iterations: Int) -> Matrix {
    guard matrix.count <= matrix[0].count else {
      return transposed(orthogonal(transposed(matrix), iterations: iterations))
    }
    var x = sum(1 / (norm(matrix) + 1e-7), matrix, 0, matrix)
    for _ in 0..<iterations {
      let gram = product(x, transposed(x))
      x = sum(3.4445, x, 1, product(sum(-4.775, gram, 2.0315, product(gram, gram)), x))
    }
    return x
  }

  /// One matrix, and what Muon remembers of it.
  private struct Reference {
    var paths: [String]
    var rate = 0.3
    var weights: Matrix = []
    var velocity: Matrix = []

    init(_ paths: [String], rateScale: Double = 1) {
      self.paths = paths
      rate *= rateScale
    }

    /// The columns of all paths.
    func sideBySide(_ load: (String) throws -> Tensor) rethrows -> Matrix {
      let tensors = try paths.map { try load($0 + ".weight") }
      return (0..<tensors[0].shape[0]).map { row in
        tensors.flatMap { tensor in
          let columns = tensor.values.count / tensor.shape[0]
          return tensor.values[row * columns..<(row + 1) * columns].map(Double.init)
        }
      }
    }

    mutating func update(_ gradient: Matrix, normalizes: Bool, nesterov: Bool, decay: Double) {
      velocity = sum(0.6, velocity, 1, gradient)
      let direction = nesterov ? sum(1, gradient, 0.6, velocity) : velocity
      let (rows, columns) = (Double(weights.count), Double(weights[0].count))
      let factor = normalizes ? rows.squareRoot() / norm(weights) : 1
      let scale = normalizes ? 1 : max(1, rows / columns).squareRoot()
      weights = sum(
        factor * (1 - rate * decay), weights, -rate * scale, orthogonal(direction, iterations: 3))
    }
  }

  /// Three updates of these matrices; all other parameters stay.
  private func expect(
    _ matrices: [Reference], frozen: String? = nil, groups: [ParameterGroup] = [], normalizes: Bool,
    nesterov: Bool = true
  ) throws {
    let network = try Self.network()
    if let frozen { try network.freeze(frozen) }
    let store = network.parameters
    let before = network.bits
    let optimizer = try Optimizer(
      parameters: store,
      configuration: .muon(
        momentum: 0.6, nesterov: nesterov, iterations: 3, normalizesWeights: normalizes),
      weightDecay: 0.1, groups: groups, threads: 2)
    var matrices = matrices
    for index in matrices.indices {
      matrices[index].weights = try matrices[index].sideBySide(network.parameter)
      matrices[index].velocity = Self.sum(0, matrices[index].weights, 0, matrices[index].weights)
    }
    for step in 0..<3 {
      let gradients = Self.gradients(of: network, step: step)
      store.gradients.update(from: gradients, count: gradients.count)
      optimizer.update(learningRate: 0.3, gradientScale: 0.5)
      let state = optimizer.stateDictionary(of: network)
      for index in matrices.indices {
        let gradient = try matrices[index].sideBySide(network.gradient)
        matrices[index].update(
          Self.sum(0.5, gradient, 0, gradient), normalizes: normalizes, nesterov: nesterov, decay: 0.1)
        let matrix = matrices[index]
        func compare(_ found: Matrix, _ expected: Matrix, _ what: String) {
          expectClose(
            found.joined().map(Float.init), expected.joined().map(Float.init), within: 2e-5,
            "\(what) of \(matrix.paths) in step \(step)")
        }
        compare(try matrix.sideBySide(network.parameter), matrix.weights, "weights")
        let velocity = try matrix.sideBySide { name in
          guard case .tensor(let tensor)? = state.first(where: { $0.name == "velocity." + name })?.value
          else { throw OctNetError.training("no velocity of \(name)") }
          return tensor
        }
        compare(velocity, matrix.velocity, "velocity")
      }
    }
    let trained = Set(matrices.flatMap(\.paths))
    for (name, bits) in network.bits where !trained.contains(name.replacing(".weight", with: "")) {
      #expect(bits == before[name], "\(name)")
    }
  }

  @Test(arguments: [false, true], [false, true])
  func updatesOfWholeMatrices(normalizes: Bool, nesterov: Bool) throws {
    try expect(Self.matrices.map { Reference($0) }, normalizes: normalizes, nesterov: nesterov)
  }

  @Test(arguments: [false, true]) func updatesOfDividedMatrices(normalizes: Bool) throws {
    try expect(
      [
        Reference(["two.conv_l2l", "two.conv_h2l"]), Reference(["two.conv_h2h"]),
        Reference(["two.conv_l2h"], rateScale: 0.5), Reference(["three.conv_h2h"]),
        Reference(["one.conv_h2l"]), Reference(["one.conv_h2h"]),
      ], frozen: "three.conv_l2h", groups: [ParameterGroup("two.conv_l2h", learningRateScale: 0.5)],
      normalizes: normalizes)
  }

  /// A path that is alone: the direction, the iterations on it, transposed where it is not tall, and no other rounding.
  @Test(arguments: [(4, 3), (20, 1)]) func bitsOfAFilterAlone(outputs: Int, kernel: Int) throws {
    let network = try Network(inputShape: MapShape(height: 4, width: 4, channels: 3), seed: 1) { x in
      try Conv2d("conv", inputChannels: 3, outputChannels: outputs, kernelSize: kernel, bias: false)(x)
    }
    let store = network.parameters
    let entry = store.entries[0], count = store.entries[0].range.count
    var weights = Array(UnsafeBufferPointer(start: store.values, count: count))
    let gradients = Self.gradients(of: network, step: 0)
    var velocity = [Float](repeating: 0, count: count), direction = velocity
    check(oct_muon_direction(count, 0.6, true, 1, gradients, &velocity, &direction, 1))
    let (rows, columns) = (outputs, 3 * kernel * kernel)
    let (least, most) = (min(rows, columns), max(rows, columns))
    var plain = [Float](repeating: 0, count: rows * columns), transposed = plain
    let scratch = AlignedBuffer(byteCount: oct_newton_schulz_scratch_bytes(least, most, 1))
    entry.unpack(direction, into: &plain)
    if rows > columns {
      check(oct_newton_schulz(least, most, 3, &plain, scratch.base, 1))
    } else {
      check(oct_transpose(rows, columns, plain, &transposed, 1))
      check(oct_newton_schulz(least, most, 3, &transposed, scratch.base, 1))
      check(oct_transpose(columns, rows, transposed, &plain, 1))
    }
    entry.pack(plain, into: &direction)
    let factor = Float(Double(rows).squareRoot() / oct_sum_of_squares(count, weights, 1).squareRoot())
    check(oct_axpby(count, -0.24, direction, factor, &weights, 1))

    let optimizer = Optimizer(parameters: store, configuration: Self.muon, threads: 2)
    gradients.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      optimizer.update(base, learningRate: 0.24, gradientScale: 1)
    }
    #expect((0..<count).allSatisfy { store.values[$0].bitPattern == weights[$0].bitPattern })
    #expect((0..<count).allSatisfy { optimizer.state[0].floats[$0].bitPattern == velocity[$0].bitPattern })
  }
}
