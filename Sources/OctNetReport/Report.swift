import Foundation
import OctNetCheckpoint
import OctNetData
import OctNetSupport
import OctNetTraining

/// What a set of runs came to, as a page for a browser and as charts and tables for a paper.
///
/// It is made from run directories alone and holds no date, so that equal directories give equal reports.
public struct Report: Sendable {
  let runs: [RunRecord]
  let comparisons: [Comparison]

  /// Reads every run in `directories` and up to four levels below them.
  ///
  /// - Throws: `OctNetError.file` where there is no run, or for a `config.json`, `log.csv`, `timing.csv` or
  ///   `results.json` that is malformed. The last two may be missing.
  public init(directories: [String]) throws(OctNetError) {
    precondition(!directories.isEmpty, "a report needs a directory")
    let paths = try RunSearch.runs(in: directories)
    var runs: [RunRecord] = []
    for (path, name) in zip(paths, RunSearch.names(of: paths)) {
      runs.append(try RunRecord(path: path, name: name))
    }
    self.runs = runs
    comparisons = try Comparison.comparisons(of: runs)
  }

  /// Whether the page in a directory, by default that of the run, was written after the results of a run.
  public static func isNewer(than run: RunDirectory, in directory: String? = nil) -> Bool {
    func time(_ path: String) -> Date? {
      (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }
    guard let page = time((directory ?? run.path) + "/report.html"), let results = time(run.resultsPath)
    else {
      return false
    }
    return page >= results
  }

  /// Writes `report.html`, and the folder `report` with the same charts as SVG files and the same tables as CSV and
  /// Markdown. Files of earlier reports are replaced, each as a whole.
  ///
  /// - Returns: the path of the page.
  /// - Throws: `OctNetError.file` where they cannot be written.
  @discardableResult
  public func write(to directory: String) throws(OctNetError) -> String {
    let page = ReportPage(self)
    let text = page.html
    let files = page.files
    let folder = directory + "/report"
    for path in [directory, folder] where !FileManager.default.fileExists(atPath: path) {
      try RunDirectory.makeDirectory(path)
    }
    for path in [directory, folder] { AtomicFile.removeAbandoned(in: path) }
    for file in files { try AtomicFile.write(file.text, to: folder + "/" + file.name) }
    // The page comes last: where it is, all the rest is.
    let path = directory + "/report.html"
    try AtomicFile.write(text, to: path)
    return path
  }
}
