/// A study and its directory: `study.json`, and `runs/<name>` for each run, an ordinary run directory.
///
/// It goes on wherever it was interrupted, in the middle of an epoch too, and repeats nothing that is finished.
public struct Study: Sendable {
  public let configuration: StudyConfiguration
  public let path: String
  public let runs: [StudyConfiguration.PlannedRun]

  /// How far a run has come.
  public enum Progress: Equatable, Sendable {
    case waiting
    /// Finished epochs.
    case begun(epochs: Int)
    case finished
  }

  /// Begins a study, or goes on with the one in the directory; with more epochs, its finished runs go on too.
  ///
  /// - Throws: `OctNetError.configuration` for settings out of range or other than those of the study that is there;
  ///   `OctNetError.file` where the directory holds something else or cannot be written.
  public init(_ configuration: StudyConfiguration, path: String) throws(OctNetError) {
    try configuration.validate()
    let file = Self.configurationPath(path)
    if FileReader.exists(file) {
      try configuration.validate(continuing: try StrictJSON.read(StudyConfiguration.self, path: file))
    } else {
      _ = try RunDirectory.create(path)
    }
    try StrictJSON.write(configuration, to: file)
    self.configuration = configuration
    self.path = path
    runs = configuration.runs()
  }

  /// The settings of the study in a directory.
  /// - Throws: `OctNetError.file` where there is none.
  public static func configuration(of path: String) throws(OctNetError) -> StudyConfiguration {
    guard FileReader.exists(path) else {
      throw OctNetError.file(path: path, "no such directory, expected that of a study")
    }
    return try StrictJSON.read(StudyConfiguration.self, path: configurationPath(path))
  }

  private static func configurationPath(_ path: String) -> String { path + "/study.json" }

  public func directory(of run: StudyConfiguration.PlannedRun) -> RunDirectory {
    RunDirectory(path: path + "/runs/" + run.name)
  }

  /// - Throws: `OctNetError.file` for results that cannot be read.
  public func progress(of run: StudyConfiguration.PlannedRun) throws(OctNetError) -> Progress {
    let directory = directory(of: run)
    guard FileReader.exists(directory.statePath), FileReader.exists(directory.resultsPath) else {
      return .waiting
    }
    let results = try RunResults(path: directory.resultsPath)
    let isDone = results.outcome == .stoppedEarly || results.epochs >= run.configuration.epochs
    return isDone ? .finished : .begun(epochs: results.epochs)
  }

  /// A trainer for a run, from where the run stopped.
  ///
  /// - Throws: what `Trainer` and `TrainingState` throw.
  public func trainer(
    for run: StudyConfiguration.PlannedRun, data: DataSplit,
    onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> Trainer {
    guard let model = run.configuration.model else {
      throw OctNetError.configuration(key: "base.model", "missing")
    }
    // A run killed before its first state begins again.
    let hasState = FileReader.exists(directory(of: run).statePath)
    let directory =
      try hasState ? RunDirectory.open(directory(of: run).path) : RunDirectory.begin(directory(of: run).path)
    return try Trainer(
      network: try model.makeNetwork(seed: run.configuration.seed), configuration: run.configuration,
      data: data, directory: directory,
      resuming: hasState ? try TrainingState(path: directory.statePath) : nil,
      onEvent: onEvent)
  }
}
