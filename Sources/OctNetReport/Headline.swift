import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// The result in a sentence and a few numbers, and what a reader must know before the tables.
struct Headline: Sendable {
  struct Number: Equatable, Sendable {
    var name, value: String
    var remark: String?
  }

  var sentence: String
  var numbers: [Number] = []
  var notes: [String] = []

  init(_ comparison: Comparison) {
    let runs = comparison.runs
    if let best = comparison.best, let accuracy = best.bestTop1 {
      // The sign stays beside its number.
      sentence = Self.sentence(comparison, best: best, accuracy: accuracy).replacing(" %", with: "\u{A0}%")
      numbers = Self.numbers(comparison, best: best, accuracy: accuracy)
    } else {
      sentence = "No evaluation on the test images has been done yet."
    }
    if comparison.best == nil, let chosen = runs.compactMap(\.chosen).max(by: { $0.top1 < $1.top1 }) {
      numbers.append(
        Number(
          name: "Best validation accuracy so far, top-1", value: ReportNumber.percent(chosen.top1) + " %",
          remark: "epoch \(chosen.epoch)"))
    }
    let unfinished = runs.count { !$0.isComplete }
    numbers.append(
      Number(
        name: runs.count == 1 ? "Run" : "Runs",
        value: runs.count == 1 ? runs[0].state : String(runs.count),
        remark: runs.count == 1
          ? "epoch \(runs[0].epochs) of \(runs[0].configuration.epochs)"
          : unfinished == 0
            ? "all complete" : "\(unfinished) unfinished"))
    notes = Self.notes(comparison)
  }

  private static func sentence(_ comparison: Comparison, best: RunGroup, accuracy: Spread) -> String {
    let n = accuracy.count
    let isChosenApart = best.counted.allSatisfy { $0.chosenOn == .validation }
    let percent = ReportNumber.percent(accuracy) + " %"
    let scope =
      (n > 1
        ? "in the mean of \(counted(n, "run"))"
        : best.counted.first?.best.map { "after epoch \($0.epoch)" } ?? "")
      + (isChosenApart ? ", chosen on validation images" : "")
    let progress = best.isProvisional ? " so far" : ""
    guard comparison.groups.count > 1 else {
      return "\(best.label) recognises \(percent) of the test images\(progress), \(scope)."
    }
    let mean = n > 1 ? "mean accuracy" : "accuracy"
    let text = "\(best.label) has the highest \(mean)\(progress): \(percent) of the test images, \(scope)."
    guard let reference = yardstick(of: best, in: comparison), let other = reference.bestTop1 else {
      return text
    }
    return text + " " + difference(comparison, best, reference, other) + costs(comparison, best, reference)
  }

  /// What the best setting is compared with: the network at α = 0 whose maps get smaller in the same way, before the other
  /// one; where there is none, or it is the best itself, the next best.
  private static func yardstick(of best: RunGroup, in comparison: Comparison) -> RunGroup? {
    let others = comparison.groups.filter { $0.index != best.index && $0.bestTop1 != nil }
    let kind = best.model?.downsampling ?? .strided
    let plain = [kind, .average, .strided].lazy.compactMap { comparison.reference(of: best, $0) }
      .first { reference in others.contains { $0.index == reference.index } }
    if let plain, best.model?.alpha != 0 { return plain }
    let complete = others.filter { !$0.isProvisional }
    return (complete.isEmpty ? others : complete)
      .max { ($0.bestTop1?.mean ?? 0) < ($1.bestTop1?.mean ?? 0) }
  }

  /// No more than the interval allows.
  private static func difference(
    _ comparison: Comparison, _ best: RunGroup, _ reference: RunGroup, _ other: Spread
  ) -> String {
    let name = "\(reference.label) (\(ReportNumber.percent(other)) %)"
    let isOver = !best.isProvisional && !reference.isProvisional
    let difference = PairedDifference(best.bestTop1BySeed, minus: reference.bestTop1BySeed)
    guard isOver, let difference, let interval = difference.interval else {
      // Where a seed is in both, its difference, as in the table.
      let gap = difference?.mean ?? (best.bestTop1?.mean ?? 0) - other.mean
      let isShared = difference != nil && (best.bestTop1?.count ?? 0) + other.count > 2
      let text =
        "\(name) is \(ReportNumber.percent(gap.magnitude)) points \(gap < 0 ? "above" : "below") it"
        + (isShared ? " with \(counted(difference?.count ?? 0, "seed")) that both have. " : ". ")
      guard isOver else { return text + "Runs that go on are not compared." }
      let isSingle = best.bestTop1?.count == 1 || other.count == 1
      return text + (isSingle ? comparison.singleRunRule : "Too few seeds are in both for an interval.")
    }
    var pairs = "95 % interval \(ReportNumber.points(interval)), \(counted(difference.count, "seed"))"
    if comparison.groups.count > 2 {
      pairs += "; too narrow for a row chosen as the highest of \(comparison.groups.count)"
    }
    if difference.isWithoutWidth {
      pairs = "with every one of \(counted(difference.count, "seed")), which gives no interval"
    }
    switch difference.verdict {
    case .above, .below:
      return "That is \(ReportNumber.percent(difference.mean.magnitude)) points (\(pairs)) "
        + "\(difference.verdict == .above ? "above" : "below") \(name)."
    case .open, .single:
      return
        "It is not told apart from \(name): the difference is \(ReportNumber.points(difference.mean)) points "
        + "(\(pairs))."
    }
  }

  private static func costs(_ comparison: Comparison, _ best: RunGroup, _ reference: RunGroup) -> String {
    var costs: [String] = []
    if let ratio = comparison.macsRatio(best, to: reference) {
      costs.append("\(ReportNumber.percent(ratio, 0)) % of the multiply–accumulates")
    }
    if let threads = comparison.usualThreads,
      let ratio = comparison.timeRatio(best, to: reference, threads: threads)
    {
      costs.append("\(ReportNumber.percent(ratio, 0)) % of the measured time per epoch")
    }
    return costs.isEmpty ? "" : " It takes " + costs.joined(separator: " and ") + " of \(reference.label)."
  }

  private static func numbers(_ comparison: Comparison, best: RunGroup, accuracy: Spread) -> [Number] {
    let plain = comparison.reference(of: best)
    var numbers = [
      Number(
        name: best.counted.allSatisfy { $0.chosenOn == .validation }
          ? "Test accuracy, top-1" : "Best test accuracy, top-1",
        value: ReportNumber.percent(accuracy) + " %", remark: best.label)
    ]
    if let last = best.lastTop1 {
      numbers.append(
        Number(
          name: "After the last evaluation", value: ReportNumber.percent(last) + " %", remark: best.label))
    }
    if let macs = best.cost?.total.macs {
      let ratio = plain?.index == best.index ? nil : comparison.macsRatio(best)
      numbers.append(
        Number(
          name: "Multiply–accumulates", value: "\(ReportNumber.fixed(Double(macs) / 1e6, 1)) M",
          remark: ratio.map { "\(ReportNumber.fixed($0, 2)) of \(plain?.label ?? "α = 0")" }
            ?? "one image, forward"))
    }
    let threads = comparison.usualThreads ?? 1
    if let timing = best.timing(threads: threads) ?? best.timings.first {
      let ratio = plain?.index == best.index ? nil : comparison.timeRatio(best, threads: timing.threads)
      numbers.append(
        Number(
          name: "Training time per epoch", value: "\(ReportNumber.seconds(timing.seconds.median)) s",
          remark: ratio.map { "\(ReportNumber.fixed($0, 2)) of \(plain?.label ?? "α = 0")" }
            ?? counted(timing.threads, "thread")))
    }
    return numbers
  }

  private static func notes(_ comparison: Comparison) -> [String] {
    let runs = comparison.runs
    var notes: [String] = []
    /// On a page with one run, that run; else how many, and their names.
    func add(_ which: [RunRecord], _ one: String, _ several: String) {
      guard !which.isEmpty else { return }
      guard runs.count > 1 else { return notes.append("This run \(one).") }
      let names = which.prefix(6).map(\.name).joined(separator: ", ")
      let more = which.count > 6 ? " and \(which.count - 6) more" : ""
      let start = which.count == 1 ? "One run \(one): " : "\(counted(which.count, "run")) \(several): "
      notes.append(start + names + more + ".")
    }
    add(runs.filter { !$0.isComplete }, "is unfinished", "are unfinished")
    if comparison.groups.contains(where: { !$0.isProvisional && $0.runs.contains { !$0.isComplete } }) {
      notes.append("Means are over the complete runs of a setting.")
    }
    add(
      comparison.groups.flatMap(\.repeated),
      "has the settings and the seed of another, and counts once with it",
      "have the settings and the seed of others, and count once with them")
    add(
      runs.filter { $0.chosenOn == .test && $0.best != nil },
      "has chosen its best epoch on the test images, whose accuracy then flatters; --validation holds back training "
        + "images for that",
      "have chosen their best epoch on the test images, whose accuracy then flatters; --validation holds back training "
        + "images for that")
    let unscored = runs.compactMap { $0.bestEvaluation }.reduce(0) { $0 + $1.unscoredImages }
    if unscored > 0 {
      notes.append(
        "\(counted(unscored, "test image")) got logits that are not finite numbers and count as wrong; confusions leave "
          + "them out.")
    }
    add(
      runs.filter { $0.results == nil },
      "has no results.json and so adds nothing to accuracies by class and confusions",
      "have no results.json and so add nothing to accuracies by class and confusions")
    add(
      runs.filter { $0.configuration.model == nil },
      "has a network that is not one of the package's, so its costs are not known",
      "have networks that are not the package's, so their costs are not known and they are not averaged")
    if comparison.missingValues > 0 {
      let count = comparison.missingValues
      notes.append(
        "\(counted(count, "epoch")) \(count == 1 ? "has a loss that is" : "have losses that are") not a finite number; the "
          + "curves leave \(count == 1 ? "it" : "them") out.")
    }
    for (index, group) in comparison.groups.enumerated() {
      guard let twin = comparison.groups.prefix(index).first(where: { $0.isSameNetwork(as: group) }) else {
        continue
      }
      notes.append(
        "\(group.label) is the same network as \(twin.label): with the same seed they are one run, and confirm nothing."
      )
    }
    if comparison.hasSeveralThreadCounts {
      notes.append("Runs used different numbers of threads; times are compared only where these are equal.")
    }
    return notes
  }
}
