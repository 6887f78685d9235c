import OctNetSupport
import OctNetTraining

extension Study {
  /// Copies what a run came to, without its weights, into a directory of its name below `path`: settings, logs, results and
  /// machines, of which reports can be made. Files that are there already are replaced where they differ.
  ///
  /// - Throws: `OctNetError.file` for what cannot be read or written.
  public func keep(_ run: StudyConfiguration.PlannedRun, in path: String) throws(OctNetError) {
    let source = directory(of: run)
    let target = RunDirectory(path: path + "/" + run.name)
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
}
