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
    if let best = comparison.best, let score = comparison.score(of: best) {
      let text =
        comparison.hasAccuracy
        ? Self.sentence(comparison, best: best, accuracy: score)
        : Self.lossSentence(comparison, best: best, loss: score)
      // The sign stays beside its number.
      sentence = text.replacing(" %", with: "\u{A0}%")
      numbers = Self.numbers(comparison, best: best, score: score)
    } else {
      sentence = "No evaluation on the test images has been done yet."
      numbers += [Self.validation(comparison)].compactMap { $0 }
    }
    let (failed, unfinished) = (runs.count { $0.failure != nil }, runs.count { $0.goesOn })
    let open = [
      unfinished == 0 ? nil : "\(unfinished) unfinished", failed == 0 ? nil : "\(failed) failed",
    ].compactMap { $0 }
    numbers.append(
      Number(
        name: runs.count == 1 ? "Run" : "Runs",
        value: runs.count == 1 ? runs[0].state : String(runs.count),
        remark: runs.count == 1
          ? "epoch \(runs[0].epochs) of \(runs[0].configuration.epochs)"
          : open.isEmpty ? "all complete" : open.joined(separator: ", ")))
    notes = Self.notes(comparison)
  }

  /// Before the first test.
  private static func validation(_ comparison: Comparison) -> Number? {
    let chosen = comparison.runs.compactMap(\.chosen)
    if comparison.hasAccuracy {
      return chosen.max { $0.top1 < $1.top1 }.map { best in
        Number(
          name: "Best validation accuracy so far, top-1", value: ReportNumber.percent(best.top1) + " %",
          remark: "epoch \(best.epoch)")
      }
    }
    return chosen.min { $0.loss < $1.loss }.map { best in
      Number(
        name: "Lowest validation loss so far", value: ReportNumber.fixed(best.loss, 4),
        remark: "epoch \(best.epoch)")
    }
  }

  /// Of how many runs or which epoch a score is.
  private static func scope(of best: RunGroup, count: Int) -> String {
    let isChosenApart = best.counted.allSatisfy { $0.chosenOn == .validation }
    let epoch = best.counted.first?.best.map { "after epoch \($0.epoch)" } ?? ""
    let which = count > 1 ? "in the mean of \(counted(count, "run"))" : epoch
    return which + (isChosenApart ? ", chosen on validation images" : "")
  }

  private static func sentence(_ comparison: Comparison, best: RunGroup, accuracy: Spread) -> String {
    let percent = ReportNumber.percent(accuracy) + " %"
    let scope = scope(of: best, count: accuracy.count)
    let progress = best.isProvisional ? " so far" : ""
    guard comparison.groups.count > 1 else {
      return "\(best.label) recognises \(percent) of the test images\(progress), \(scope)."
    }
    let mean = accuracy.count > 1 ? "mean accuracy" : "accuracy"
    let text = "\(best.label) has the highest \(mean)\(progress): \(percent) of the test images, \(scope)."
    guard let reference = yardstick(of: best, in: comparison), let other = reference.bestTop1 else {
      let hasOthers = comparison.groups.contains { $0.index != best.index && $0.bestTop1 != nil }
      guard hasOthers else { return text }
      return text + " The others chose their best epochs on other images and are not compared with it."
    }
    return text + " " + difference(comparison, best, reference, other) + costs(comparison, best, reference)
  }

  /// Differences of losses have no scale of their own, so that none are told.
  private static func lossSentence(_ comparison: Comparison, best: RunGroup, loss: Spread) -> String {
    let value = comparison.scoreText(loss)
    let scope = scope(of: best, count: loss.count)
    let progress = best.isProvisional ? " so far" : ""
    guard comparison.groups.count > 1 else {
      return "\(best.label) has a loss of \(value) on the test images\(progress), \(scope)."
    }
    let mean = loss.count > 1 ? "mean loss" : "loss"
    return "\(best.label) has the lowest \(mean) on the test images\(progress): \(value), \(scope)."
  }

  /// What the best setting is compared with: the network at α = 0 whose maps get smaller in the same way, then
  /// the other one; where there is none, or it is the best itself, the next best. Test images that chose an
  /// epoch flatter it, so both must have been chosen on the same ones.
  private static func yardstick(of best: RunGroup, in comparison: Comparison) -> RunGroup? {
    let others = comparison.groups.filter {
      $0.index != best.index && $0.bestTop1 != nil && $0.chosenOn == best.chosenOn
    }
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
    if let conditions = comparison.usualConditions,
      let ratio = comparison.timeRatio(best, to: reference, conditions)
    {
      costs.append("\(ReportNumber.percent(ratio, 0)) % of the measured time per epoch")
    }
    return costs.isEmpty ? "" : " It takes " + costs.joined(separator: " and ") + " of \(reference.label)."
  }

  private static func numbers(_ comparison: Comparison, best: RunGroup, score: Spread) -> [Number] {
    let plain = comparison.reference(of: best)
    let isTestedOnce = best.counted.allSatisfy { $0.chosenOn == .validation }
    var numbers = [
      Number(
        name: (isTestedOnce ? "Test " : "Best test ") + (comparison.hasAccuracy ? "accuracy, top-1" : "loss"),
        value: comparison.scoreText(score), remark: best.label)
    ]
    if let last = comparison.hasAccuracy ? best.lastTop1 : best.spread({ $0.last?.loss }) {
      numbers.append(
        Number(name: "After the last evaluation", value: comparison.scoreText(last), remark: best.label))
    }
    if let macs = best.cost?.total.macs {
      let ratio = plain?.index == best.index ? nil : comparison.macsRatio(best)
      numbers.append(
        Number(
          name: "Multiply–accumulates", value: "\(ReportNumber.fixed(Double(macs) / 1e6, 1)) M",
          remark: ratio.map { "\(ReportNumber.fixed($0, 2)) of \(plain?.label ?? "α = 0")" }
            ?? "one image, forward"))
    }
    if let timing = comparison.usualConditions.flatMap({ best.timing($0) }) ?? best.timings.first {
      let ratio = plain?.index == best.index ? nil : comparison.timeRatio(best, timing.conditions)
      numbers.append(
        Number(
          name: "Training time per epoch", value: "\(ReportNumber.seconds(timing.seconds.median)) s",
          remark: ratio.map { "\(ReportNumber.fixed($0, 2)) of \(plain?.label ?? "α = 0")" }
            ?? counted(timing.conditions.threads, "thread")))
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
    add(runs.filter(\.goesOn), "is unfinished", "are unfinished")
    let failed = runs.filter { $0.failure != nil }
    if let reason = failed.first?.failure {
      add(failed, "failed (\(reason))", "failed (the first: \(reason))")
    }
    if comparison.groups.contains(where: { !$0.isProvisional && $0.runs.contains { !$0.isComplete } }) {
      notes.append("Means are over the complete runs of a setting.")
    }
    add(
      comparison.groups.flatMap(\.repeated),
      "has the settings and the seed of another, and counts once with it",
      "have the settings and the seed of others, and count once with them")
    let score = comparison.hasAccuracy ? "accuracy" : "loss"
    let advice =
      "on the test images, whose \(score) then flatters; --validation holds back training images for that"
    add(
      runs.filter { $0.chosenOn == .test && $0.best != nil }, "has chosen its best epoch \(advice)",
      "have chosen their best epoch \(advice)")
    let unscored = runs.compactMap { $0.bestEvaluation }.reduce(0) { $0 + $1.unscoredImages }
    if unscored > 0 {
      notes.append(
        "\(counted(unscored, "test image")) got logits that are not finite numbers and count as wrong; confusions leave "
          + "them out.")
    }
    add(
      comparison.hasAccuracy ? runs.filter { $0.results == nil } : [],
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
    if comparison.hasSeveralMachines, let usual = comparison.usualConditions {
      notes.append(
        "Runs were timed on different machines, or some do not say on which; times are compared on the same one only, and charts have "
          + "those of: \(usual.machineNames).")
    }
    for group in comparison.groups
    where Set(group.runs.map { $0.configuration.skipDamaged == true }).count > 1 {
      notes.append("Some runs of \(group.label) left damaged images out (--skip-damaged), others did not.")
    }
    return notes
  }
}
