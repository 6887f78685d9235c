import OctNetCore
import OctNetSupport

/// Compares the gradients that operations compute with differences of their outputs, and their bits on one thread with
/// those on several: what PyTorch's `gradcheck` is, for operations and layers of one's own.
///
/// ```swift
/// let check = GradientCheck(inputShape: MapShape(height: 5, width: 7, channels: 6), alpha: 0.5)
/// #expect(try check.run { x in try MyLayer("mine")(x) } == [])
/// ```
///
/// The output is weighted by random numbers and summed in double precision. Differences are central ones of fourth order:
/// (8 (L(x + h) − L(x − h)) − (L(x + 2h) − L(x − 2h))) / 12h. The passes themselves are float32, so that a gradient can be
/// told from a wrong one to about four digits. Kinks within 2h of an element (those of a ReLU) spoil its difference: take
/// inputs that keep away from them, by `seed`, or a smaller `step`.
public struct GradientCheck: Sendable {
  /// What is wrong with one number.
  public struct Deviation: Equatable, Sendable, CustomStringConvertible {
    /// `high`, `low` for the input's maps, or the parameter's name.
    public let name: String
    /// Of the element: in the map [image, row, column, channel], or in the parameter's memory.
    public let index: Int
    /// What was found, and what expected.
    public let problem: String

    public var description: String { "\(name)[\(index)]: \(problem)" }
  }

  /// High and low channels together.
  public var inputShape: MapShape
  /// Share of the input's channels in the low map.
  public var alpha: Double
  /// Images.
  public var batch = 2
  /// Of all numbers: inputs, weights of the sum, elements.
  public var seed: UInt64 = 1
  /// h.
  public var step: Float = 1 / 64
  /// Of the difference of the two gradients, relative to the larger of both and of the mean magnitude of the tensor's. What
  /// rounding does to a difference is allowed beside it.
  public var tolerance = 2e-3
  /// Elements checked of each map and parameter, evenly chosen by the seed.
  public var elements = 64
  /// All must give the same bits.
  public var threads = [1, 2, 3]

  /// The low map gets ⌊alpha · channels⌋ of the input's channels.
  public init(inputShape: MapShape, alpha: Double = 0) {
    self.inputShape = inputShape
    self.alpha = alpha
  }

  /// - Parameter body: what is to be checked, in training mode.
  /// - Returns: every number that deviates; nothing where all is right.
  /// - Throws: what `body` throws; `OctNetError.graph` where the output depends on nothing.
  public func run(_ body: (OctFeature) throws -> OctFeature) throws -> [Deviation] {
    let network = Network(graph: try makeGraph(body), seed: seed)
    fillInputs(of: network)
    var runs: [CheckedRun] = []
    for count in threads { runs.append(try CheckedRun(network, batch: batch, threads: count, seed: seed)) }
    guard let first = runs.first else { return [] }
    var deviations: [Deviation] = []
    let analytic = first.gradients()
    for (run, count) in zip(runs, threads).dropFirst() {
      deviations += differences(
        analytic, run.gradients(), in: network, "on \(numbered(count, "thread")) and \(threads[0])")
    }
    for entry in network.parameters.entries {
      deviations += check(entry, analytic, network, first)
    }
    return deviations
  }

  // MARK: The network around what is checked

  private func makeGraph(_ body: (OctFeature) throws -> OctFeature) throws -> Graph {
    // The network's own input is not used but for its builder.
    try Graph(inputShape: MapShape(height: 1, width: 1, channels: 1)) { unused in
      let builder = unused.builder
      func source(_ name: String, _ shape: MapShape) throws -> SymbolicMap? {
        guard shape.channels > 0 else { return nil }
        let id = try builder.addParameter(name, .weight, shape: [batch * shape.count], .constant(0))
        return try builder.record(ParameterSource(parameter: id, shape: shape), [])
      }
      let low = Int(alpha * Double(inputShape.channels))
      let high = try source(
        "high",
        MapShape(height: inputShape.height, width: inputShape.width, channels: inputShape.channels - low))
      let half = try source(
        "low",
        MapShape(height: (inputShape.height + 1) / 2, width: (inputShape.width + 1) / 2, channels: low))
      let y = try body(
        OctFeature(
          high: high, low: half, height: inputShape.height, width: inputShape.width, builder: builder))
      let maps = [y.high, y.low].compactMap { $0 }
      var random = RandomStream(seed: seed, "gradient check: weights")
      let weights = (0..<maps.reduce(0) { $0 + $1.shape.count }).map { _ in random.normal() }
      return OctFeature(
        try builder.record(WeightedSum(shapes: maps.map(\.shape), weights: weights), maps))
    }
  }

  /// Random numbers in the input's maps; parameters that begin with a constant move a little, so that none is special.
  private func fillInputs(of network: Network) {
    let values = network.parameters.values
    for (index, entry) in network.parameters.entries.enumerated() {
      let isInput = entry.name == "high" || entry.name == "low"
      guard case .constant(let start) = network.graph.parameters[index].initializer else { continue }
      var random = RandomStream(seed: seed, "gradient check: " + entry.name)
      for place in entry.range { values[place] = isInput ? random.normal() : start + 0.1 * random.normal() }
    }
  }

  // MARK: Comparisons

  private func differences(
    _ a: [Float], _ b: [Float], in network: Network, _ when: String
  ) -> [Deviation] {
    network.parameters.entries.compactMap { entry in
      guard let place = entry.range.first(where: { a[$0].bitPattern != b[$0].bitPattern }) else { return nil }
      return Deviation(
        name: entry.name, index: place - entry.range.lowerBound,
        problem: "\(b[place]) and \(a[place]) \(when), expected the same bits")
    }
  }

  private func check(
    _ entry: ParameterStore.Entry, _ analytic: [Float], _ network: Network, _ run: CheckedRun
  ) -> [Deviation] {
    let mean =
      entry.range.reduce(0.0) { $0 + Double(analytic[$1].magnitude) } / Double(max(1, entry.range.count))
    // What rounding of the outputs, each of a magnitude near 1, does to a difference.
    let outputs = Double(
      batch * network.graph.nodes.reduce(0) { max($0, network.graph.shape(of: $1.output).count) })
    let resolution = 0x1p-23 * outputs.squareRoot() / Double(step)
    var random = RandomStream(seed: seed, "gradient check: elements of " + entry.name)
    let count = entry.range.count
    let places =
      count <= elements
      ? Array(entry.range)
      : (0..<elements).map { _ in entry.range.lowerBound + Int(random.next() % UInt64(count)) }
    return places.compactMap { place in
      let value = network.parameters.values[place]
      // Padding of a layout is 0 and has no gradient.
      if value == 0, analytic[place] == 0 { return nil }
      func loss(_ steps: Float) -> Double {
        network.parameters.values[place] = value + steps * step
        return run.loss()
      }
      let near = loss(1) - loss(-1)
      let far = loss(2) - loss(-2)
      network.parameters.values[place] = value
      let numeric = (8 * near - far) / (12 * Double(step))
      let found = Double(analytic[place])
      let scale = max(numeric.magnitude, found.magnitude, mean)
      if (numeric - found).magnitude <= max(tolerance * scale, resolution) { return nil }
      return Deviation(
        name: entry.name, index: place - entry.range.lowerBound,
        problem: "the gradient is \(found), by differences \(numeric)")
    }
  }
}

/// Forward and backward passes of a network whose output is a `WeightedSum`.
private final class CheckedRun {
  private let network: Network
  private let executor: Executor
  private let batch: Int
  private let seed: UInt64

  init(_ network: Network, batch: Int, threads: Int, seed: UInt64) throws {
    self.network = network
    self.batch = batch
    self.seed = seed
    let plan = Executor.plan(graph: network.graph, batch: batch, training: true, threads: threads)
    executor = try Executor(
      graph: network.graph, memory: network.parameters.memory, plan: plan, threads: threads)
  }

  private func forward() -> UnsafePointer<Float> {
    let unused = [Float](repeating: 0, count: batch * network.inputShape.count)
    return unused.withUnsafeBufferPointer { images in
      guard let base = images.baseAddress else { preconditionFailure("a batch has images") }
      return executor.forward(images: base, count: batch, seed: seed)
    }
  }

  func loss() -> Double {
    let output = forward()
    return (0..<2 * batch).reduce(0.0) { $0 + Double(output[$1]) }
  }

  /// Of all parameters, as they lie in memory.
  func gradients() -> [Float] {
    _ = forward()
    guard let gradient = executor.outputGradient() else { preconditionFailure("the inputs are parameters") }
    for index in 0..<2 * batch { gradient[index] = index.isMultiple(of: 2) ? 1 : 0 }
    network.parameters.gradients.update(repeating: 0, count: network.parameters.count)
    let unused = [Float](repeating: 0, count: batch * network.inputShape.count)
    unused.withUnsafeBufferPointer { images in
      guard let base = images.baseAddress else { return }
      executor.backward(images: base, count: batch, seed: seed)
    }
    return Array(UnsafeBufferPointer(start: network.parameters.gradients, count: network.parameters.count))
  }
}
