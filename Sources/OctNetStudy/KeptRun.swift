import OctNetSupport
import OctNetTraining

extension Study {
  /// Copies what a run came to, without its weights, into a directory of its name below `path`: settings, logs, results and
  /// machines, of which reports can be made. Files that are there already are replaced where they differ.
  ///
  /// - Throws: `OctNetError.file` for what cannot be read or written, and where another study's run is kept there.
  public func keep(_ run: StudyConfiguration.PlannedRun, in path: String) throws(OctNetError) {
    let source = directory(of: run)
    let target = try kept(run, in: path)
    if !FileReader.exists(target.path) { try RunDirectory.makeDirectory(target.path) }
    for file in [\RunDirectory.configurationPath, \.logPath, \.timingPath, \.machinesPath, \.resultsPath] {
      // Versions before them wrote neither, and reports do without.
      let isOptional = file == \.timingPath || file == \.machinesPath
      if isOptional && !FileReader.exists(source[keyPath: file]) { continue }
      let bytes = try FileReader.bytes(of: source[keyPath: file], limit: FileLimit.results)
      try AtomicFile.write(
        String(decoding: bytes, as: UTF8.self), to: target[keyPath: file], onlyIfChanged: true)
    }
  }

  /// - Throws: `OctNetError.file` where `keep` would write over a run that is not this study's.
  public func checkKeeping(in path: String) throws(OctNetError) {
    for run in runs { _ = try kept(run, in: path) }
  }

  /// Where a run is kept. Names say α and the seed alone, so another study's may be called the same.
  private func kept(_ run: StudyConfiguration.PlannedRun, in path: String) throws(OctNetError) -> RunDirectory
  {
    let target = RunDirectory(path: path + "/" + run.name)
    guard FileReader.exists(target.configurationPath) else { return target }
    let earlier = try TrainingConfiguration(path: target.configurationPath)
    guard
      earlier.changed(as: run.configuration) == run.configuration,
      try isLog(of: run, target) ?? (earlier.data == run.configuration.data)
    else {
      throw OctNetError.file(
        path: target.path, "a run of another study is kept here; name another directory with --keep")
    }
    return target
  }

  /// Whether one of the logs goes on where the other ends, as equal runs' do wherever their data lie; `nil` before the run has
  /// a log.
  private func isLog(
    of run: StudyConfiguration.PlannedRun, _ target: RunDirectory
  ) throws(OctNetError) -> Bool? {
    let own = directory(of: run).logPath
    guard FileReader.exists(own), FileReader.exists(target.logPath) else { return nil }
    let (log, kept) = (
      try FileReader.bytes(of: own, limit: FileLimit.results),
      try FileReader.bytes(of: target.logPath, limit: FileLimit.results)
    )
    return log.starts(with: kept) || kept.starts(with: log)
  }
}
