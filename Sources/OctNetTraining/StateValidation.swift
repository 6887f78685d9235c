import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// What is read from the files of a run is held against itself before anything is computed from it: a damaged or forged
/// file is an error that names the value, not a trap, and not a training that goes on from numbers that never were.
package enum StateValidation {
  /// The longest time that is believed: three centuries.
  package static let longestSeconds = 1e10
  /// More epochs than this are not believed anywhere.
  static let mostEpochs = 1_000_000_000

  /// What is wrong and where: "position.step: expected 8, found 9".
  struct Failure: Error {
    var problem: String
    init(_ key: String, _ problem: String) { self.problem = "\(key): \(problem)" }
  }

  /// - Throws: `OctNetError.file` with the problem of `body`.
  static func check(_ path: String, _ body: () throws(Failure) -> Void) throws(OctNetError) {
    do throws(Failure) { try body() } catch { throw OctNetError.file(path: path, error.problem) }
  }

  static func number(_ value: Int, in range: ClosedRange<Int>, _ key: String) throws(Failure) {
    guard range.contains(value) else {
      throw Failure(key, "expected \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  static func seconds(_ value: Double, _ key: String) throws(Failure) {
    guard value >= 0, value <= longestSeconds else {
      throw Failure(key, "expected seconds from 0 to \(format(longestSeconds, digits: 3)), found \(value)")
    }
  }

  /// A share of images.
  static func fraction(_ value: Double, _ key: String) throws(Failure) {
    guard value >= 0, value <= 1 else {
      throw Failure(key, "expected a fraction from 0 to 1, found \(value)")
    }
  }

  /// A mean of losses, which are floats. That of a test may be infinite or no number, where the network has diverged.
  static func loss(_ value: Double, mustBeFinite: Bool = false, _ key: String) throws(Failure) {
    guard value.isFinite ? value.magnitude <= Double(Float.greatestFiniteMagnitude) : !mustBeFinite else {
      throw Failure(key, "expected a mean of losses, found \(value)")
    }
  }
}

extension EvaluationResult {
  /// - Throws: for sizes that do not fit each other and numbers that no evaluation gives.
  func validate(_ key: String) throws(StateValidation.Failure) {
    let classes = classNames.count
    guard perClassAccuracy.count == classes, confusion.count == classes,
      confusion.allSatisfy({ $0.count == classes })
    else {
      throw .init(
        key,
        "expected accuracies and a square confusion matrix of \(numbered(classes, "class", plural: "classes")), found other sizes"
      )
    }
    var total = 0
    for count in confusion.joined() {
      guard count >= 0 else {
        throw .init("\(key).confusion", "expected counts of images, found a negative one")
      }
      let (sum, overflow) = total.addingReportingOverflow(count)
      guard !overflow else {
        throw .init("\(key).confusion", "expected counts of \(numbered(images, "image")), found \(count)")
      }
      total = sum
    }
    if let unscored {
      guard unscored.count == classes, unscored.allSatisfy({ (0...images).contains($0) }) else {
        throw .init(
          "\(key).unscored",
          "expected counts of images for \(numbered(classes, "class", plural: "classes")), found others")
      }
      for count in unscored {
        let (sum, overflow) = total.addingReportingOverflow(count)
        guard !overflow else {
          throw .init("\(key).unscored", "expected counts of \(numbered(images, "image")), found \(count)")
        }
        total = sum
      }
    }
    guard total == images || classes == 0 else {
      throw .init(
        "\(key).confusion", "expected counts of \(numbered(images, "image")) in all, found \(total)")
    }
    try StateValidation.fraction(top1, "\(key).top1")
    try StateValidation.fraction(top5, "\(key).top5")
    guard top1 <= top5 else {
      throw .init("\(key).top5", "expected at least the \(top1) of top1, found \(top5)")
    }
    try StateValidation.loss(loss, "\(key).loss")
    for accuracy in perClassAccuracy.compactMap({ $0 }) {
      try StateValidation.fraction(accuracy, "\(key).perClassAccuracy")
    }
  }
}

extension RunResults {
  /// - Throws: for epochs that do not fit each other, and evaluations that are none.
  func validate() throws(StateValidation.Failure) {
    try StateValidation.number(epochs, in: 0...StateValidation.mostEpochs, "epochs")
    for (key, score) in [("best", best), ("last", last), ("test", test)] {
      guard let score else { continue }
      guard (1...max(1, epochs)).contains(score.epoch), epochs > 0 else {
        throw .init("\(key).epoch", "expected one of the \(numbered(epochs, "epoch")), found \(score.epoch)")
      }
      try score.evaluation.validate("\(key).evaluation")
    }
    guard test == nil || (chosenOn == .validation && test?.epoch == best?.epoch) else {
      throw .init("test.epoch", "expected that of the best evaluation on validation images, found another")
    }
    if let patienceFrom { try StateValidation.number(patienceFrom, in: 0...epochs, "patienceFrom") }
    if let best, let last, best.epoch > last.epoch {
      throw .init(
        "best.epoch", "expected at most that of the last evaluation, \(last.epoch), found \(best.epoch)")
    }
  }
}

extension TrainingLog {
  /// - Throws: for anything but one row for each of the epochs, in order.
  func validate(epochs: Int) throws(StateValidation.Failure) {
    for (key, rows) in [("log", rows), ("timing", timingRows)] where rows.count != epochs {
      throw .init(key, "expected a row for each of the \(numbered(epochs, "epoch")), found \(rows.count)")
    }
    for (index, row) in rows.enumerated() {
      let key = "log row \(index + 1)"
      let cells = try Self.cells(of: row, columns: Self.header, epoch: index + 1, key)
      guard let loss = cells[1], let accuracy = cells[2], let rate = cells[6] else {
        throw .init(key, "expected numbers, found an empty cell")
      }
      try StateValidation.loss(loss, mustBeFinite: true, key)
      guard rate >= 0, rate.isFinite else { throw .init(key, "expected a learning rate, found \(rate)") }
      let test = cells[3...5].compactMap { $0 }
      guard test.isEmpty || test.count == 3 else {
        throw .init(key, "expected all numbers of the test or none, found \(test.count)")
      }
      if let loss = test.first { try StateValidation.loss(loss, key) }
      for fraction in [accuracy] + test.dropFirst() { try StateValidation.fraction(fraction, key) }
    }
    for (index, row) in timingRows.enumerated() {
      let key = "timing row \(index + 1)"
      let cells = try Self.cells(of: row, columns: Self.timingHeader, epoch: index + 1, key)
      guard let seconds = cells[1], let speed = cells[2] else {
        throw .init(key, "expected numbers, found an empty cell")
      }
      try StateValidation.seconds(seconds, key)
      guard speed >= 0, speed.isFinite else { throw .init(key, "expected images a second, found \(speed)") }
      if let secondsToScore = cells[3] { try StateValidation.seconds(secondsToScore, key) }
    }
  }

  private static func cells(
    of row: String, columns: String, epoch: Int, _ key: String
  ) throws(StateValidation.Failure) -> [Double?] {
    let texts = row.split(separator: ",", omittingEmptySubsequences: false)
    let cells = texts.map { Double($0) }
    guard texts.count == columns.split(separator: ",").count,
      zip(texts, cells).allSatisfy({ $0.isEmpty || $1 != nil })
    else { throw .init(key, "expected numbers for \(columns), found \"\(row.prefix(80))\"") }
    guard texts[0] == String(epoch) else {
      throw .init(key, "expected epoch \(epoch), found \"\(texts[0].prefix(20))\"")
    }
    return cells
  }
}

extension TrainingState {
  /// Whether the state agrees with itself. That it agrees with the data, `validate(_:path:)` says.
  /// - Throws: `OctNetError.file` with the first value that cannot be.
  func validate(path: String) throws(OctNetError) {
    do throws(OctNetError) { try configuration.validate() } catch {
      throw OctNetError.file(path: path, "\(Key.configuration): \(error.description)")
    }
    try StateValidation.check(path) { () throws(StateValidation.Failure) in
      try position.validate(epochs: configuration.epochs)
      try log.validate(epochs: position.epoch)
      try results.validate()
      guard results.epochs == position.epoch else {
        throw .init(
          "results.epochs", "expected the \(position.epoch) of the position, found \(results.epochs)")
      }
      let isComplete = position.epoch == configuration.epochs
      guard (results.outcome == .finished) == isComplete else {
        throw .init(
          "results.outcome",
          "found \(results.outcome.rawValue) after epoch \(position.epoch) of \(configuration.epochs)")
      }
      // By `TrainerHooks.epochEnd` also before the first evaluation.
      if results.outcome == .stoppedEarly && position.batch > 0 {
        throw .init("results.outcome", "found stoppedEarly in the middle of an epoch")
      }
    }
  }

  /// Whether the state can be one of a training whose epochs are divided so.
  /// - Throws: `OctNetError.file` with the first value that cannot be.
  func validate(_ plan: EpochPlan, isDone: Bool, path: String) throws(OctNetError) {
    try StateValidation.check(path) { () throws(StateValidation.Failure) in
      do throws(StateValidation.Failure) { try position.validate(plan) } catch {
        // Earlier versions trained on a last batch of one image in any network.
        var earlier = plan
        earlier.leavesOutSingleImage = false
        guard plan.leftOut > 0, (try? position.validate(earlier)) != nil else { throw error }
        guard !isDone else { return }
        throw .init(
          "position",
          "an earlier version trained on last batches of one image, which spoil the statistics of maps "
            + "of one pixel; begin the run again")
      }
    }
  }
}

extension TrainingPosition {
  fileprivate func validate(epochs: Int) throws(StateValidation.Failure) {
    try StateValidation.number(epoch, in: 0...epochs, "position.epoch")
    try StateValidation.number(epochImages, in: 1...Int.max, "position.epochImages")
    try StateValidation.number(batch, in: 0...(epoch == epochs ? 0 : epochImages), "position.batch")
    try StateValidation.number(step, in: 0...Int.max, "position.step")
    try StateValidation.number(images, in: 0...epochImages, "position.images")
    // The rest of the epoch is added to it: far from what a number holds.
    try StateValidation.number(predictions ?? images, in: 0...1 << 53, "position.predictions")
    try StateValidation.number(correct, in: 0...(predictions ?? images), "position.correct")
    if let rate = learningRate, !(rate >= 0 && rate.isFinite) {
      throw .init("position.learningRate", "expected a learning rate, found \(rate)")
    }
    guard lossSum.isFinite,
      lossSum.magnitude <= Double(Float.greatestFiniteMagnitude) * Double(max(1, images))
    else {
      throw .init(
        "position.lossSum",
        "expected a sum of \(numbered(images, "loss", plural: "losses")), found \(lossSum)")
    }
    try StateValidation.seconds(seconds, "position.seconds")
    try StateValidation.seconds(earlierSeconds, "position.earlierSeconds")
    if let preparationSeconds {
      try StateValidation.seconds(preparationSeconds, "position.preparationSeconds")
    }
  }

  fileprivate func validate(_ plan: EpochPlan) throws(StateValidation.Failure) {
    guard let expected = plan.images(inFirst: batch) else {
      throw .init("position.batch", "expected at most the \(plan.batches) of an epoch, found \(batch)")
    }
    guard plan.isUpdated(after: batch) else {
      throw .init("position.batch", "expected a multiple of \(plan.accumulationSteps), found \(batch)")
    }
    guard images == expected else {
      throw .init("position.images", "expected \(expected) after batch \(batch), found \(images)")
    }
    guard step == plan.updates(epochs: epoch, batches: batch) else {
      let steps = plan.updates(epochs: epoch, batches: batch).map { "\($0)" } ?? "none so large"
      throw .init(
        "position.step", "expected \(steps) after epoch \(epoch) and batch \(batch), found \(step)")
    }
  }
}
