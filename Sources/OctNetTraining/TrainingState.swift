import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Everything a run needs to go on as if it had never stopped, in one file: one rename makes it consistent.
///
/// The file holds the network's state dictionary under `model.<key>` and what the optimizer remembers under
/// `optimizer.<velocity | first_moment | second_moment>.<key>`, and where the run keeps a moving average of the weights,
/// that under `average.<key>`; all in PyTorch's layouts: the kernels' own layouts may change between versions and
/// machines without making old files useless. Random numbers need no state, they are
/// derived from seed and position.
public struct TrainingState: Sendable {
  enum Key {
    static let configuration = "octnet.configuration"
    static let position = Checkpoint.Key.runPosition
    static let log = "octnet.log"
    static let results = "octnet.results"
    static let modelPrefix = "model."
    static let optimizerPrefix = "optimizer."
    static let averagePrefix = "average."
  }

  /// Of the run.
  public var configuration: TrainingConfiguration
  /// How far the run has come.
  public var position: TrainingPosition
  /// Up to the last finished epoch.
  public var log: TrainingLog
  /// Outcome and scores so far.
  public var results: RunResults
  /// Of the classes' numbers, empty in states of earlier versions.
  public var classNames: [String]
  /// As `Checkpoint.labelFingerprint`.
  public var labelFingerprint: String?
  /// Weights and running statistics.
  public var network: StateDictionary
  /// The moving average of the weights, empty where the run keeps none.
  public var average: StateDictionary
  /// Names begin with the name of the buffer: `velocity.`, `first_moment.` or `second_moment.`.
  public var optimizer: StateDictionary

  /// - Throws: `OctNetError.file` for a missing or malformed file, and for values that cannot be those of a run.
  public init(path: String) throws(OctNetError) {
    let file = try SafetensorsFile(path: path)
    try Checkpoint.checkVersion(file, path: path)
    func require<Value>(_ value: Value?, _ key: String) throws(OctNetError) -> Value {
      guard let value else { throw OctNetError.file(path: path, "not the state of a run: \(key) is missing") }
      return value
    }
    configuration = try require(
      try file.decode(TrainingConfiguration.self, Key.configuration, path: path), Key.configuration)
    position = try require(try file.decode(TrainingPosition.self, Key.position, path: path), Key.position)
    log = try require(try file.decode(TrainingLog.self, Key.log, path: path), Key.log)
    results = try require(try file.decode(RunResults.self, Key.results, path: path), Key.results)
    classNames = try file.decode([String].self, Checkpoint.Key.classNames, path: path) ?? []
    labelFingerprint = file.metadata[Checkpoint.Key.labelFingerprint]
    func entries(_ prefix: String) throws(OctNetError) -> StateDictionary {
      do {
        return try StateDictionary(
          entries: file.entries.filter { $0.name.hasPrefix(prefix) }, droppingPrefix: prefix)
      } catch { throw OctNetError.file(path: path, error.description) }
    }
    let prefixes = [Key.modelPrefix, Key.optimizerPrefix, Key.averagePrefix]
    if let other = file.entries.first(where: { entry in !prefixes.contains { entry.name.hasPrefix($0) } }) {
      throw OctNetError.file(
        path: path, "unexpected key \(other.name), expected \(prefixes.joined(separator: "…, "))…")
    }
    network = try entries(Key.modelPrefix)
    optimizer = try entries(Key.optimizerPrefix)
    average = try entries(Key.averagePrefix)
    try validate(path: path)
  }

  init(
    configuration: TrainingConfiguration, position: TrainingPosition, log: TrainingLog, results: RunResults,
    labels: ClassLabels, network: Network, optimizer: Optimizer, average: Network?
  ) {
    self.configuration = configuration
    self.position = position
    self.log = log
    self.results = results
    classNames = labels.names
    labelFingerprint = labels.fingerprint
    self.network = network.stateDictionary()
    self.average = average?.stateDictionary() ?? []
    self.optimizer = optimizer.stateDictionary(of: network)
  }

  func write(to path: String) throws(OctNetError) {
    var file = SafetensorsFile(metadata: [Checkpoint.Key.version: String(Checkpoint.version)])
    try file.encode(configuration, Key.configuration, path: path)
    try file.encode(position, Key.position, path: path)
    try file.encode(log, Key.log, path: path)
    try file.encode(results, Key.results, path: path)
    try file.encode(classNames, Checkpoint.Key.classNames, path: path)
    if let labelFingerprint { file.metadata[Checkpoint.Key.labelFingerprint] = labelFingerprint }
    file.entries =
      network.entries(prefix: Key.modelPrefix) + optimizer.entries(prefix: Key.optimizerPrefix)
      + average.entries(prefix: Key.averagePrefix)
    try file.write(to: path)
  }
}

/// How far a run has come: `epoch` epochs and `batch` batches of the next one, `step` updates of the weights in all.
public struct TrainingPosition: Codable, Equatable, Sendable {
  /// Epochs that are done.
  public var epoch = 0
  /// Batches of the next epoch that are done.
  public var batch = 0
  /// Updates of the weights in all.
  public var step = 0
  /// Images of an epoch, to notice a changed data set.
  public var epochImages = 0
  /// Sums over the images of the epoch that has begun.
  public var lossSum = 0.0
  /// Right predictions of the epoch that has begun.
  public var correct = 0
  /// Images of the epoch that has begun.
  public var images = 0
  /// Predictions among them that are right or wrong, of maps those of all pixels; `nil` in states of earlier versions, which
  /// took one an image.
  public var predictions: Int? = 0
  /// Of the epoch that has begun.
  public var seconds = 0.0
  /// Of the epochs before it.
  public var earlierSeconds = 0.0
  /// Of looking at the images before the first step; `nil` in states of earlier versions.
  public var preparationSeconds: Double?
  /// Of the last update, with what hooks made of it; `nil` before the first, and in states of earlier versions.
  public var learningRate: Double?

  /// The beginning of a run.
  public init() {}

  init(preparationSeconds: Double) { self.preparationSeconds = preparationSeconds }

  /// Of the epoch that has begun: right predictions of all.
  var accuracy: Double { Double(correct) / Double(max(1, predictions ?? images)) }
}

// MARK: What the optimizer remembers

extension Optimizer {
  /// The optimizer's buffers parameter by parameter, in PyTorch's layouts.
  func stateDictionary(of network: Network) -> StateDictionary {
    state.indices.flatMap { place in
      network.graph.parameters.indices.compactMap { index in
        guard let stateName = stateName(place, of: index) else { return nil }
        let (name, buffer) = (network.graph.parameters[index].name, state[place])
        let tensor = network.load(ParameterID(index: index), from: UnsafePointer(buffer.floats))
        return (name: "\(stateName).\(name)", value: StateValue.tensor(tensor))
      }
    }
  }

  /// What the buffer number `place` holds of a parameter; nil where that parameter's rule does not use it.
  private func stateName(_ place: Int, of parameter: Int) -> String? {
    let names = settings[parameter].rule.stateNames
    return place < names.count ? names[place] : nil
  }

  /// Restores buffers and the number of updates.
  /// - Throws: `OctNetError.stateDictionary` with every missing, unexpected and misshaped key; then nothing has
  ///   changed.
  func load(_ dictionary: StateDictionary, step: Int, of network: Network) throws(OctNetError) {
    var given: [String: Tensor] = [:]
    for case (let name, .tensor(let tensor)) in dictionary { given[name] = tensor }
    var mismatch = StateMismatch()
    var expected: Set<String> = []
    for place in state.indices {
      for (index, parameter) in network.graph.parameters.enumerated() {
        guard let stateName = stateName(place, of: index) else { continue }
        let name = "\(stateName).\(parameter.name)"
        expected.insert(name)
        if let found = given[name]?.shape {
          guard found != parameter.shape else { continue }
          mismatch.unfit.append("optimizer.\(name) \(found) instead of \(parameter.shape)")
        } else {
          mismatch.missing.append("optimizer.\(name) \(parameter.shape)")
        }
      }
    }
    for (name, value) in dictionary where !expected.contains(name) {
      mismatch.unexpected.append("optimizer.\(name) \(value.shape)")
    }
    guard mismatch.isEmpty else { throw .stateDictionary(mismatch) }

    for (place, buffer) in state.enumerated() {
      for (index, entry) in network.parameters.entries.enumerated() {
        let parameter = network.graph.parameters[index]
        guard let stateName = stateName(place, of: index),
          let tensor = given["\(stateName).\(parameter.name)"]
        else { continue }
        entry.pack(tensor.values, into: buffer.floats + entry.range.lowerBound)
      }
    }
    self.step = step
  }
}
