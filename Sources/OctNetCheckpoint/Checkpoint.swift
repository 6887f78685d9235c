import OctNetCore
import OctNetModels
import OctNetSupport

/// A trained network in a file: its state dictionary under PyTorch's names and layouts, and in the metadata what is
/// needed to rebuild and feed it.
///
/// In PyTorch, `load_state_dict(safetensors.torch.load_file(path))` takes the file as it is. Files of other programs
/// have no such metadata; then the properties are `nil` or empty and the caller says what the network is.
public struct Checkpoint: Sendable {
  /// Metadata keys of this package begin with `octnet.`.
  package enum Key {
    package static let version = "octnet.version"
    static let model = "octnet.model"
    static let data = "octnet.data"
    package static let classNames = "octnet.class_names"
    package static let labelFingerprint = "octnet.training_labels"
    static let normalization = "octnet.normalization"
    static let trainingImages = "octnet.training_images"
    /// Only in the state of a run.
    package static let runPosition = "octnet.position"
  }
  /// Raised when a file of today could no longer be understood.
  package static let version = 1

  /// `nil` for a network that is not one of the package's models.
  public var model: ModelConfiguration?
  /// The data the network was trained on, as `DataSource` reads it: `synthetic`, `cifar10:DIR`, …
  public var dataName: String?
  /// Of the numbers of the classes; empty where the file does not say.
  public var classNames: [String]
  /// Of the labels that the network learnt from (`ClassLabels`); `nil` in files of earlier versions and other programs.
  public var labelFingerprint: String?
  /// Of pixels, as the network was trained; `nil` where the file does not say.
  public var normalization: Normalization?
  /// All of them in files of other programs, and where a file says nothing.
  public var trainingImages = TrainingImages()
  /// Weights and running statistics.
  public var state: StateDictionary
  /// The file it was read from, which errors name.
  public private(set) var path: String?
  /// What was seen through when a file of another program was read, a line each.
  public internal(set) var notes: [String] = []

  /// A checkpoint to be written.
  public init(
    model: ModelConfiguration?, dataName: String? = nil, classNames: [String] = [],
    labelFingerprint: String? = nil, normalization: Normalization? = nil,
    trainingImages: TrainingImages = TrainingImages(), state: StateDictionary
  ) {
    self.model = model
    self.dataName = dataName
    self.classNames = classNames
    self.labelFingerprint = labelFingerprint
    self.normalization = normalization
    self.trainingImages = trainingImages
    self.state = state
  }

  /// Reads a file of safetensors, PyTorch (`.pth`, `.pt`), NumPy (`.npz`) or MXNet (`.params`), told by its first bytes.
  /// Nothing in a file is ever run. Names of the octave paper's authors and of timm become OctNet's.
  ///
  /// - Throws: `OctNetError.file` for a malformed file, one of another format, metadata that cannot be understood, or values
  ///   that are not finite.
  public init(path: String) throws(OctNetError) {
    try Self.refuseDirectory(path)
    let weights = try WeightsFile(path: path)
    let file = weights.contents
    notes = weights.notes
    try Self.checkVersion(file, path: path)
    guard file.metadata[Key.runPosition] == nil else {
      throw OctNetError.file(
        path: path,
        "the state of a run, which --resume with its directory goes on from; the weights are in best.safetensors and last.safetensors beside it"
      )
    }
    model = try file.decode(ModelConfiguration.self, Key.model, path: path)
    dataName = file.metadata[Key.data]
    classNames = try file.decode([String].self, Key.classNames, path: path) ?? []
    labelFingerprint = file.metadata[Key.labelFingerprint]
    normalization = try file.decode(Normalization.self, Key.normalization, path: path)
    trainingImages = try file.decode(TrainingImages.self, Key.trainingImages, path: path) ?? TrainingImages()
    do { try trainingImages.validate() } catch {
      throw OctNetError.file(path: path, "\(Key.trainingImages): \(error)")
    }
    do {
      state = try StateDictionary(entries: file.entries)
    } catch { throw error.naming(path) }
    try Self.checkFinite(state, path: path)
    if file.metadata[Key.version] == nil, let translation = PublicNames.translation(of: state) {
      state = translation.state
      normalization = normalization ?? translation.normalization
      if trainingImages == TrainingImages() { trainingImages = translation.images }
      notes.append("names of \(translation.owner): brought into OctNet's")
    }
    self.path = path
  }

  /// - Throws: `OctNetError.file` where the file cannot be written; one that was there stays as it was.
  public func write(to path: String) throws(OctNetError) {
    // Other tools expect to read which framework's layout the arrays have.
    var file = SafetensorsFile(metadata: ["format": "pt", Key.version: String(Self.version)])
    if let model { try file.encode(model, Key.model, path: path) }
    if let dataName { file.metadata[Key.data] = dataName }
    if !classNames.isEmpty { try file.encode(classNames, Key.classNames, path: path) }
    if let labelFingerprint { file.metadata[Key.labelFingerprint] = labelFingerprint }
    if let normalization { try file.encode(normalization, Key.normalization, path: path) }
    if trainingImages != TrainingImages() {
      try file.encode(trainingImages, Key.trainingImages, path: path)
    }
    file.entries = state.entries()
    try file.write(to: path)
  }

  /// What the file says of its classes.
  public var classLabels: ClassLabels { ClassLabels(names: classNames, fingerprint: labelFingerprint) }

  /// Builds the network `model` describes and loads the weights.
  /// - Throws: as `makeUntrainedNetwork` and `load(into:)`.
  public func makeNetwork() throws -> Network {
    let network = try makeUntrainedNetwork()
    try load(into: network)
    return network
  }

  /// Builds the network `model` describes, without the weights.
  /// - Throws: `OctNetError.file` without a model or with one that cannot be built, naming the file;
  ///   `OctNetError.configuration` alike for a checkpoint that is not from a file.
  public func makeUntrainedNetwork() throws -> Network {
    guard let model else {
      let problem = "the checkpoint does not say what network it is for"
      throw path.map { .file(path: $0, problem) } ?? OctNetError.configuration(key: "model", problem)
    }
    do {
      return try model.makeNetwork()
    } catch let error as OctNetError {
      throw path.map { .file(path: $0, "\(Key.model): \(error)") } ?? error
    }
  }

  /// Loads the weights as `Network.loadUnwrapped` does.
  /// - Returns: what had to be done before they fitted.
  /// - Throws: `OctNetError.stateDictionary`, naming the file, where they do not fit the network.
  @discardableResult
  public func load(into network: Network) throws(OctNetError) -> LoadReport {
    do { return try network.loadUnwrapped(state) } catch { throw error.naming(path) }
  }

  /// Loads the weights for fine-tuning, as `Network.loadPretrained` does.
  ///
  /// - Parameters:
  ///   - network: gets the weights.
  ///   - labels: of the data that the network will learn from. A classifier for as many classes of other names is left as
  ///     the network has it, one for the same names in another order is brought into the data's. `nil`: any will do.
  ///   - classesByNumber: takes the classes by number, whatever their names.
  /// - Returns: what had to be done before they fitted.
  /// - Throws: `OctNetError.stateDictionary`, naming the file, where they do not fit the network.
  @discardableResult
  public func loadPretrained(
    into network: Network, for labels: ClassLabels? = nil, classesByNumber: Bool = false
  ) throws(OctNetError) -> LoadReport {
    let match = labels.map { HeadMatch(of: $0, to: classLabels, byNumber: classesByNumber) }
    do { return try network.loadPretrained(state, head: match) } catch { throw error.naming(path) }
  }

  /// Names the files in a directory that may have been meant.
  private static func refuseDirectory(_ path: String) throws(OctNetError) {
    guard FileReader.isDirectory(path) else { return }
    let names = ["best.safetensors", "last.safetensors", "model.safetensors"]
      .filter { FileReader.exists(path + "/" + $0) }
    throw OctNetError.file(
      path: path,
      "expected a file, found a directory"
        + (names.isEmpty ? "" : "; in it are " + names.joined(separator: ", ")))
  }

  /// Weights that are no numbers compute nothing, and what reads them would not say why.
  private static func checkFinite(_ state: StateDictionary, path: String) throws(OctNetError) {
    for case (let name, .tensor(let tensor)) in state {
      let strangers = tensor.values.count { !$0.isFinite }
      guard strangers == 0 else {
        throw OctNetError.file(
          path: path,
          "\"\(StateMismatch.shortened(name))\": \(strangers) of \(numbered(tensor.values.count, "value")) not finite (NaN or infinite), expected weights"
        )
      }
    }
  }

  package static func checkVersion(_ file: SafetensorsFile, path: String) throws(OctNetError) {
    guard let text = file.metadata[Key.version] else { return }
    guard let found = Int(text), found <= version else {
      throw OctNetError.file(path: path, "\(Key.version): expected at most \(version), found \(text)")
    }
  }
}

extension StateDictionary {
  /// I64 scalars are counters, and so is `num_batches_tracked` in whatever numbers somebody wrote it; one that is no
  /// number (65,504 batches are infinity as F16) is left out. Everything else becomes float32.
  package init(entries: [SafetensorsFile.Entry], droppingPrefix prefix: String = "") throws(OctNetError) {
    var state: StateDictionary = []
    for entry in entries {
      let name = String(entry.name.dropFirst(prefix.count))
      let isCounter =
        name.split(separator: ".").last == "num_batches_tracked" && entry.shape.allSatisfy { $0 == 1 }
      if isCounter || (entry.dtype == .i64 && entry.shape.isEmpty) {
        if let count = entry.counter { state.append((name, .counter(count))) }
      } else {
        state.append((name, .tensor(Tensor(shape: entry.shape, values: try entry.floats()))))
      }
    }
    self = state
  }

  package func entries(prefix: String = "") -> [SafetensorsFile.Entry] {
    map { name, value in
      switch value {
      case .tensor(let tensor): return SafetensorsFile.Entry(name: prefix + name, tensor: tensor)
      case .counter(let count): return SafetensorsFile.Entry(name: prefix + name, int64: count)
      }
    }
  }
}

// MARK: JSON in the metadata

extension SafetensorsFile {
  /// The value under `key`, `nil` where there is no such key.
  package func decode<Value: Codable>(_ type: Value.Type, _ key: String, path: String) throws(OctNetError)
    -> Value?
  {
    guard let text = metadata[key] else { return nil }
    do throws(StrictJSON.Failure) {
      // A run's state has its results in it.
      return try StrictJSON.decode(type, from: Array(text.utf8), maximumValues: FileLimit.resultValues)
    } catch { throw OctNetError.file(path: path, "\(key): \(error.problem)") }
  }

  package mutating func encode(_ value: some Encodable, _ key: String, path: String) throws(OctNetError) {
    do throws(StrictJSON.Failure) {
      metadata[key] = try StrictJSON.encode(value)
    } catch { throw OctNetError.file(path: path, "\(key): \(error.problem)") }
  }
}
