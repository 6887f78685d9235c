import Foundation
import OctNetData
import OctNetSupport
import OctNetTraining

/// A run as its directory tells it.
struct RunRecord: Sendable {
  /// What of an evaluation every run has, with `results.json` or without.
  struct Score: Equatable, Sendable {
    var epoch: Int
    var top1, top5, loss: Double
  }

  /// Path below the directory that all runs of a report share.
  let name: String
  let path: String
  let configuration: TrainingConfiguration
  let settings: SettingList
  let log: RunLog
  /// `nil` where the file is missing.
  let results: RunResults?
  /// Those that took part, empty where the file is missing.
  let machines: [RunMachine]

  /// - Throws: `OctNetError.file` for what is missing or malformed.
  init(path: String, name: String) throws(OctNetError) {
    let directory = RunDirectory(path: path)
    self.name = name
    self.path = path
    configuration = try TrainingConfiguration(path: directory.configurationPath)
    do throws(OctNetError) { try configuration.validate() } catch {
      throw OctNetError.file(path: directory.configurationPath, error.description)
    }
    settings = try SettingList(configuration, path: directory.configurationPath)
    func present(_ path: String) -> String? { FileManager.default.fileExists(atPath: path) ? path : nil }
    log = try RunLog(logPath: directory.logPath, timingPath: present(directory.timingPath))
    machines =
      try present(directory.machinesPath).map { (path) throws(OctNetError) in
        try RunMachine.read(path)
      } ?? []
    results = try present(directory.resultsPath).map { (path) throws(OctNetError) in
      try RunResults(path: path)
    }
  }

  var outcome: RunResults.Outcome {
    if let results { return results.outcome }
    return epochs >= configuration.epochs ? .finished : .unfinished
  }

  /// Whether nothing is left to do, the test included.
  var isComplete: Bool { outcome != .unfinished && !isTestDue }

  /// Whether somebody may resume it to its end.
  var goesOn: Bool { !isComplete && failure == nil }

  /// Why training ended without a result.
  var failure: String? { results?.failure }

  /// All epochs are done, but the test at the run's end was cut short.
  var isTestDue: Bool { results?.isTestDue == true }

  /// Finished ones.
  var epochs: Int { results?.epochs ?? log.rows.last?.epoch ?? 0 }

  /// Which images chose the best epoch.
  var chosenOn: EvaluationImages {
    results.map { $0.chosenOn ?? .test } ?? (configuration.validation == nil ? .test : .validation)
  }

  /// What `best.safetensors` reaches on the test images; with validation images it is known at the end only.
  var best: Score? {
    guard chosenOn == .test else { return results?.test.map(Self.score) }
    if let score = results?.best { return Self.score(score) }
    return evaluated.max { $0.top1 < $1.top1 }
  }

  /// The evaluation on the test images that `best` is from, with its confusion.
  var bestEvaluation: EvaluationResult? { results?.bestOnTest?.evaluation }

  /// The same where there were images of classes.
  var classified: EvaluationResult? {
    guard let evaluation = bestEvaluation, evaluation.images > 0, !evaluation.classNames.isEmpty else {
      return nil
    }
    return evaluation
  }

  /// What `best.safetensors` reaches on the images that chose it.
  var chosen: Score? {
    if chosenOn == .test { return best }
    return results?.best.map(Self.score) ?? evaluated.max { $0.top1 < $1.top1 }
  }

  /// The latest evaluation on the test images; `nil` where epochs are evaluated on others.
  var last: Score? {
    guard chosenOn == .test else { return nil }
    if let score = results?.last { return Self.score(score) }
    return evaluated.last
  }

  private static func score(_ score: RunResults.Score) -> Score {
    let evaluation = score.evaluation
    return Score(epoch: score.epoch, top1: evaluation.top1, top5: evaluation.top5, loss: evaluation.loss)
  }

  /// Of any of its evaluations; `nil` before the first one and without results, empty for images without.
  var classNames: [String]? {
    (results?.best ?? results?.last ?? results?.test)?.evaluation.classNames
  }

  /// Whether predictions are right or wrong; `nil` where nothing says. Of a loss between numbers, results
  /// name no classes and all accuracies are 0.
  var hasAccuracy: Bool? {
    guard let classNames else { return nil }
    return !classNames.isEmpty || log.rows.contains { $0.trainAccuracy > 0 || ($0.testTop1 ?? 0) > 0 }
  }

  private var evaluated: [Score] {
    log.rows.compactMap { row in
      guard let top1 = row.testTop1, let top5 = row.testTop5, let loss = row.testLoss else { return nil }
      return Score(epoch: row.epoch, top1: top1, top5: top5, loss: loss)
    }
  }

  /// The kind of data and the last components of its path; of known archives the kind, wherever they lie.
  func dataName(components: Int = 1) -> String {
    let parts = configuration.data.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[0] != "synthetic" else { return configuration.data }
    if ["cifar10", "cifar100", "cifar100-coarse"].contains(parts[0]) { return parts[0] }
    let path = parts[1].split(separator: "/").suffix(components)
    return "\(parts[0]):\(path.isEmpty ? parts[1] : path.joined(separator: "/"))"
  }
}
