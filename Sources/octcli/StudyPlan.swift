import Foundation
import OctNet

/// The tables that `study` prints.
enum StudyPlan {
  /// The runs, how far each has come, and how long the rest takes.
  static func text(
    _ planned: [StudyConfiguration.PlannedRun], data: DataSplit,
    progress: (StudyConfiguration.PlannedRun) throws -> Study.Progress
  ) throws -> String {
    var estimate = StudyEstimate(data: data)
    var table = TextTable(header: ["run", "epochs", "done", "time left"])
    var total = 0.0
    let runs = planned.filter { $0.twin == nil }
    for run in runs {
      let epochs = run.configuration.epochs
      let done: Int
      switch try progress(run) {
      case .waiting: done = 0
      case .begun(let finished): done = finished
      case .finished: done = epochs
      }
      let seconds =
        done == epochs ? 0 : try estimate.secondsOfEpoch(run.configuration) * Double(epochs - done)
      total += seconds
      table.add([run.name, "\(epochs)", "\(done)", duration(seconds)])
    }
    return table.description
      + "\n\n" + twins(planned.filter { $0.twin != nil })
      + "\(counted(runs.count, "run")), about \(duration(total)) left (a few steps of each network timed)"
  }

  /// A study takes days.
  private static func duration(_ seconds: Double) -> String { ProgressBar.duration(seconds, limit: 1e9) }

  /// Which runs are not trained, and why.
  static func twins(_ runs: [StudyConfiguration.PlannedRun]) -> String {
    runs.compactMap { run in
      run.twin.map { "\(run.name): the same network as \($0), which is trained once\n" }
    }.joined()
  }

  /// Means by setting, differences to α = 0, and what they allow to say.
  static func closing(_ report: Report) -> String {
    report.closings.map { closing in
      var table = TextTable(header: closing.header)
      for row in closing.rows { table.add(row) }
      return "\n\(table.description)\n\n\((closing.sentences + [closing.note]).joined(separator: "\n"))\n"
    }.joined()
  }

  /// What each run came to; those that failed have no result.
  static func results(_ study: Study, failed: Set<String>) throws -> String {
    var table = TextTable(header: ["run", "best top-1", "epoch", "last top-1"])
    for run in study.runs {
      guard !failed.contains(run.name) else {
        table.add([run.name, "failed", "–", "–"])
        continue
      }
      let results = try RunResults(path: study.directory(of: run).resultsPath)
      func percent(_ score: RunResults.Score?) -> String {
        score.map { String(format: "%.2f%%", 100 * $0.evaluation.top1) } ?? "–"
      }
      table.add([
        run.name, percent(results.bestOnTest), results.best.map { "\($0.epoch)" } ?? "–",
        percent(results.chosenOn == .validation ? nil : results.last),
      ])
    }
    return table.description + "\n" + twins(study.twins)
  }
}
