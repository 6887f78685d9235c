import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// A study and its directory: `study.json`, and `runs/<name>` for each run, an ordinary run directory.
///
/// It goes on wherever it was interrupted, in the middle of an epoch too, and repeats nothing that is finished.
public struct Study: Sendable {
  /// What it runs.
  public let configuration: StudyConfiguration
  /// Its directory.
  public let path: String
  /// Those that are trained, in the order in which they run.
  public let runs: [StudyConfiguration.PlannedRun]
  /// Those whose network one of `runs` trains already.
  public let twins: [StudyConfiguration.PlannedRun]

  /// How far a run has come.
  public enum Progress: Equatable, Sendable {
    /// Not begun.
    case waiting
    /// Finished epochs.
    case begun(epochs: Int)
    /// All epochs are done, or it stopped early.
    case finished
  }

  /// Held for as long as the study, or a copy of it, is there.
  private let lock: RunLock?

  /// Begins a study, or goes on with the one in the directory; with more epochs, its finished runs go on too. The
  /// directory is locked for as long as this value is there.
  ///
  /// - Throws: `OctNetError.configuration` for settings out of range or other than those of the study that is there;
  ///   `OctNetError.file` where the directory holds something else, is another process's or cannot be written.
  public init(_ configuration: StudyConfiguration, path: String) throws(OctNetError) {
    var directory: RunDirectory?
    if FileReader.exists(Self.configurationPath(path)) {
      directory = try .begin(path)
    } else {
      try configuration.validate()
      directory = try .create(path)
    }
    try self.init(configuration, path: path, lock: directory?.lock)
    try StrictJSON.write(configuration, to: Self.configurationPath(path), onlyIfChanged: true)
  }

  /// The same study, to see how far it is; nothing is locked or written.
  /// - Throws: as `init(_:path:)`.
  public init(planning configuration: StudyConfiguration, path: String) throws(OctNetError) {
    try self.init(configuration, path: path, lock: nil)
  }

  private init(_ configuration: StudyConfiguration, path: String, lock: RunLock?) throws(OctNetError) {
    try configuration.validate()
    self.configuration = configuration
    self.path = path
    self.lock = lock
    do {
      let planned = try configuration.runs()
      (runs, twins) = (planned.filter { $0.twin == nil }, planned.filter { $0.twin != nil })
    } catch { throw OctNetError.wrapping(error, path: path) }
    let file = Self.configurationPath(path)
    guard FileReader.exists(file) else { return }
    try configuration.validate(continuing: try StrictJSON.read(StudyConfiguration.self, path: file))
    for run in runs { _ = try progress(of: run) }
  }

  /// The settings of the study in a directory.
  /// - Throws: `OctNetError.file` where there is none.
  public static func configuration(of path: String) throws(OctNetError) -> StudyConfiguration {
    try RunFinder.expectStudy(path)
    return try StrictJSON.read(StudyConfiguration.self, path: configurationPath(path))
  }

  static func configurationPath(_ path: String) -> String { RunFinder.studyConfigurationPath(path) }

  /// Where a run writes.
  public func directory(of run: StudyConfiguration.PlannedRun) -> RunDirectory {
    RunDirectory(path: path + "/runs/" + run.name)
  }

  /// - Throws: `OctNetError.file` for results or settings that cannot be read, `OctNetError.configuration` for fewer
  ///   epochs than the run has done.
  public func progress(of run: StudyConfiguration.PlannedRun) throws(OctNetError) -> Progress {
    let directory = directory(of: run)
    guard FileReader.exists(directory.statePath), FileReader.exists(directory.resultsPath) else {
      return .waiting
    }
    let results = try RunResults(path: directory.resultsPath)
    let earlier = try TrainingConfiguration(path: directory.configurationPath)
    do throws(OctNetError) {
      let resumption = try Resumption(results, batch: 0, earlier: earlier, now: run.configuration)
      return resumption.isDone && !results.isTestDue ? .finished : .begun(epochs: results.epochs)
    } catch { throw OctNetError.file(path: directory.path, error.description) }
  }

  /// A trainer for a run, from where the run stopped.
  ///
  /// - Throws: what `Trainer` and `TrainingState` throw.
  public func trainer(
    for run: StudyConfiguration.PlannedRun, data: DataSplit, classesByNumber: Bool = false,
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
      classesByNumber: classesByNumber, onEvent: onEvent)
  }
}
