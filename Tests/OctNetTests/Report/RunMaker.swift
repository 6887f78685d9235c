import OctNet
@testable import OctNetTraining
@testable import OctNetReport

/// Writes run directories by hand, with the numbers that a test expects to find again.
struct RunMaker {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static let classes = ["cat", "dog", "owl"]

  static func configuration(
    alpha: Double = 0.25, seed: UInt64 = 1, epochs: Int = 2,
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) -> TrainingConfiguration {
    var configuration = TrainingConfiguration(
      model: ModelConfiguration(name: "resnet20", alpha: alpha, classes: 3), data: "cifar10:/somewhere",
      epochs: epochs, normalization: .cifar10, seed: seed, threads: 2)
    change(&configuration)
    return configuration
  }

  /// A finished run whose only evaluation is `evaluation`, of the test images.
  @discardableResult
  func run(
    _ name: String, _ configuration: TrainingConfiguration, evaluation: EvaluationResult
  ) throws -> String {
    let path = try run(name, configuration, results: false)
    let score = RunResults.Score(epoch: configuration.epochs, evaluation: evaluation)
    try RunResults(outcome: .finished, epochs: configuration.epochs, best: score, last: score)
      .write(to: path + "/results.json")
    return path
  }

  /// A run whose test accuracies are `top1`, one an epoch (`nil`: no evaluation), and whose epochs take `seconds`. With `test`
  /// they are of validation images, and that is what the best reaches on the test images.
  @discardableResult
  func run(
    _ name: String, _ configuration: TrainingConfiguration = configuration(), top1: [Double?] = [0.5, 0.75],
    seconds: Double? = 10, results: Bool = true, log: String? = nil, test: Double? = nil
  ) throws -> String {
    let path = directory(name)
    try RunDirectory.makeDirectory(path)
    try configuration.write(to: path + "/config.json")
    var lines = ["epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate"]
    for (index, accuracy) in top1.enumerated() {
      let test = accuracy.map { "0.75,\($0),1" } ?? ",,"
      lines.append("\(index + 1),0.5,0.625,\(test),0.1")
    }
    try AtomicFile.write(log ?? lines.joined(separator: "\n") + "\n", to: path + "/log.csv")
    if let seconds {
      let rows = top1.indices.map { "\($0 + 1),\(seconds),\(5000 / seconds)\n" }.joined()
      try AtomicFile.write("epoch,seconds,images_per_second\n" + rows, to: path + "/timing.csv")
    }
    if results {
      let scores = top1.enumerated().compactMap { index, accuracy in
        accuracy.map { RunResults.Score(epoch: index + 1, evaluation: Self.evaluation(top1: $0)) }
      }
      let outcome: RunResults.Outcome = top1.count == configuration.epochs ? .finished : .unfinished
      let best = scores.max { $0.evaluation.top1 < $1.evaluation.top1 }
      var results = RunResults(outcome: outcome, epochs: top1.count, best: best, last: scores.last)
      if let test, let best {
        results.chosenOn = .validation
        results.test = RunResults.Score(epoch: best.epoch, evaluation: Self.evaluation(top1: test))
      }
      try results.write(to: path + "/results.json")
    }
    return path
  }

  /// Writes down on which machine a run was.
  func machine(of name: String, _ processor: String) throws {
    try AtomicFile.write(
      "{\"machines\": [{\"processor\": \"\(processor)\", \"processors\": 2, \"instructionSet\": \"avx2\", "
        + "\"version\": \"1\"}]}",
      to: directory(name) + "/machines.json")
  }

  static func evaluation(top1: Double, classNames: [String] = classes) -> EvaluationResult {
    let count = classNames.count
    let confusion = (0..<count).map { label in
      (0..<count).map { $0 == label ? 10 : $0 == (label + 1) % count ? label + 1 : 0 }
    }
    return EvaluationResult(
      images: confusion.joined().reduce(0, +), top1: top1, top5: 1, loss: 0.75, classNames: classNames,
      perClassAccuracy: (0..<count).map { 10 / Double(11 + $0) }, confusion: confusion)
  }

  func report(_ names: String...) throws -> Report {
    try Report(directories: names.isEmpty ? [directory.path] : names.map { directory($0) })
  }
}

extension Report {
  /// The file of that name beside the page.
  func file(_ name: String) -> String? { ReportPage(self).files.first { $0.name == name }?.text }

  var page: String { ReportPage(self).html }
}
