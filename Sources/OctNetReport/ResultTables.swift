import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// What the runs reached, and what it cost.
extension Comparison {
  private typealias Column = ReportTable.Column
  private typealias Cell = ReportTable.Cell

  private static let label = ReportTable.Column("setting", csv: ["setting"], isText: true)

  /// Best and last accuracy; `nil` before the first evaluation and where there is only a loss.
  var accuracyTable: ReportTable? {
    guard hasAccuracy, groups.contains(where: { $0.bestTop1 != nil }) else { return nil }
    // With five classes or fewer every image is among the first five.
    let hasValidation = runs.contains { $0.chosenOn == .validation }
    let hasTop5 = runs.contains { ($0.best?.top5 ?? 1) < 1 }
    // Runs that were chosen on validation images have seen the test images once.
    let isSeenOnce = !hasLastOnTest
    var columns = [
      Self.label, Column("n", csv: ["n"]),
      Column(isSeenOnce ? "top-1 (%)" : "best top-1 (%)", csv: ["best_top1_mean", "best_top1_deviation"]),
    ]
    if isSeenOnce {
      if hasTop5 { columns.append(Column("top-5 (%)", csv: ["best_top5_mean", "best_top5_deviation"])) }
      columns.append(Column("loss", csv: ["best_test_loss_mean", "best_test_loss_deviation"]))
    } else {
      columns.append(Column("last top-1 (%)", csv: ["last_top1_mean", "last_top1_deviation"]))
      if hasTop5 { columns.append(Column("last top-5 (%)", csv: ["last_top5_mean", "last_top5_deviation"])) }
    }
    if hasValidation {
      columns.append(
        Column("validation top-1 (%)", csv: ["validation_top1_mean", "validation_top1_deviation"]))
    }
    if !isSeenOnce {
      columns.append(Column("last test loss", csv: ["last_test_loss_mean", "last_test_loss_deviation"]))
    }
    var table = ReportTable(
      "accuracy",
      caption: "Accuracy on the test images",
      note: evaluationNote, columns: columns)
    let highest = best?.bestTop1?.mean
    for group in groups {
      var row = [
        group.labelCell, .count(group.counted.count),
        .spread(group.bestTop1) { ReportNumber.percent($0) }
          .strong(groups.count > 1 && group.bestTop1?.mean == highest && highest != nil),
      ]
      func score(_ run: RunRecord) -> RunRecord.Score? { isSeenOnce ? run.best : run.last }
      let loss = Cell.spread(group.spread { score($0)?.loss }) { ReportNumber.fixed($0, 3) }
      if !isSeenOnce { row.append(.spread(group.lastTop1) { ReportNumber.percent($0) }) }
      if hasTop5 { row.append(.spread(group.spread { score($0)?.top5 }) { ReportNumber.percent($0) }) }
      if isSeenOnce { row.append(loss) }
      if hasValidation {
        let chosen = group.spread { $0.chosenOn == .validation ? $0.chosen?.top1 : nil }
        row.append(.spread(chosen) { ReportNumber.percent($0) })
      }
      if !isSeenOnce { row.append(loss) }
      table.add(row)
    }
    return table
  }

  /// Whether any run is evaluated on the test images epoch by epoch.
  var hasLastOnTest: Bool { runs.contains { $0.chosenOn == .test } }

  /// What the numbers of the best and the last evaluation are.
  var evaluationNote: String {
    var sentences: [String] = []
    let images = Set(runs.compactMap { $0.bestEvaluation?.images })
    if let count = images.first, images.count == 1 {
      sentences.append(counted(count, "image") + ".")
    }
    if groups.contains(where: { $0.counted.count > 1 }) {
      sentences.append("Mean ± sample deviation of n runs.")
    } else if groups.count > 1 {
      sentences.append("One run each.")
    }
    let kinds = Set(runs.map(\.chosenOn))
    if kinds.contains(.test) {
      sentences.append(
        "Best: the evaluation that best.safetensors is from"
          + (kinds.count > 1 ? ", where the test images chose it." : ".")
      )
    }
    if kinds.contains(.validation) {
      sentences.append(
        (kinds.count > 1 ? "Best, where validation images chose it: best.safetensors" : "Of best.safetensors")
          + ", scored once, at the run's end; epochs are evaluated on the validation images, which choose it."
      )
    }
    if groups.contains(where: \.isUnfinished) { sentences.append(RunGroup.unfinishedNote) }
    return sentences.joined(separator: " ")
  }

  /// Theory against clock; `nil` where neither is known.
  var costTable: ReportTable? {
    let rows = groups.flatMap { group -> [(RunGroup, RunGroup.Timing?)] in
      let timings = group.timings
      if timings.isEmpty { return group.cost == nil ? [] : [(group, nil)] }
      return timings.map { (group, $0) }
    }
    guard !rows.isEmpty else { return nil }
    let isTimed = rows.contains { $0.1 != nil }
    // Those of a reference to itself tell nothing.
    let hasRatios = groups.contains { reference(of: $0).map(\.index) != $0.index && macsRatio($0) != nil }
    let hasTimeRatios = rows.contains { group, timing in
      reference(of: group).map(\.index) != group.index
        && timing.flatMap { timeRatio(group, $0.conditions) } != nil
    }
    let hasCosts = rows.contains { $0.0.cost != nil }
    var columns = [Self.label]
    if hasSeveralThreadCounts { columns.append(Column("threads", csv: ["threads"])) }
    if hasSeveralMachines { columns.append(Column("machine", csv: ["machine"], isText: true)) }
    if hasCosts {
      columns.append(Column("parameters", csv: ["parameters"]))
      columns.append(Column("multiply–accumulates", csv: ["macs"]))
    }
    if hasRatios { columns.append(Column("to α = 0", csv: ["macs_ratio"])) }
    if isTimed {
      columns.append(Column("seconds per epoch", csv: ["seconds_per_epoch_median"]))
      columns.append(Column("smallest–largest", csv: ["seconds_per_epoch_min", "seconds_per_epoch_max"]))
    }
    if hasTimeRatios { columns.append(Column("time to α = 0", csv: ["time_ratio"])) }
    var note = ""
    if hasCosts { note += "Multiply–accumulates of one image, forward. " }
    if isTimed {
      note += "Seconds of training per epoch without evaluation: median over epochs and runs. "
    }
    if hasRatios { note += "Ratios are to the otherwise equal network at α = 0" }
    let plain = groups.compactMap(\.model).filter { $0.alpha == 0 }
    if hasRatios && Set(plain.map(\.downsampling)).count > 1 { note += ", strided," }
    if hasRatios && hasTimeRatios {
      note += " with as many threads" + (hasSeveralMachines ? " on the same machine" : "")
    }
    if hasRatios { note += "." }
    var table = ReportTable(
      "costs", caption: hasRatios ? "Theory against clock" : "Costs", note: note, columns: columns)
    for (group, timing) in rows {
      var row = [Cell.text(group.label)]
      if hasSeveralThreadCounts { row.append(.count(timing?.conditions.threads)) }
      if hasSeveralMachines {
        let machine = timing?.conditions.machineNames
        row.append(Cell(machine ?? "–", values: [machine ?? ""]))
      }
      if hasCosts { row += [.count(group.cost?.total.parameters), .count(group.cost?.total.macs)] }
      if hasRatios { row.append(.number(macsRatio(group)) { ReportNumber.fixed($0, 2) }) }
      if isTimed {
        let seconds = timing?.seconds
        row.append(.number(seconds?.median, ReportNumber.seconds))
        row.append(
          Cell(
            seconds.map { "\(ReportNumber.seconds($0.minimum))–\(ReportNumber.seconds($0.maximum))" } ?? "–",
            values: [
              seconds.map { ReportNumber.raw($0.minimum) } ?? "",
              seconds.map { ReportNumber.raw($0.maximum) } ?? "",
            ]))
      }
      if hasTimeRatios {
        let ratio = timing.flatMap { timeRatio(group, $0.conditions) }
        row.append(.number(ratio) { ReportNumber.fixed($0, 2) })
      }
      table.add(row)
    }
    return table
  }

  /// What the paths between the octaves and the down-sampling are worth; `nil` without such accuracies.
  var ablationTable: ReportTable? {
    let ablations = ablations
    guard hasAccuracy, ablations.contains(where: { $0.groups.contains { $0.bestTop1 != nil } }) else {
      return nil
    }
    let conditions = usualConditions
    var columns = [
      Self.label, Column("L→H", csv: ["low_to_high"], isText: true),
      Column("H→L", csv: ["high_to_low"], isText: true),
      Column("down-sampling", csv: ["downsampling"], isText: true), Column("n", csv: ["n"]),
      Column(
        hasLastOnTest ? "best top-1 (%)" : "top-1 (%)", csv: ["best_top1_mean", "best_top1_deviation"]),
      Column("difference (points)", csv: ["difference"]), Column("95 % interval", csv: ["lower", "upper"]),
      Column("pairs", csv: ["pairs"]), Column("MACs", csv: ["macs_ratio"]),
    ]
    if conditions != nil { columns.append(Column("time", csv: ["time_ratio"])) }
    var note =
      "Differences by seed, multiply–accumulates and time per epoch are to the row with both paths and the "
      + "same down-sampling at the same α; of rows with both paths, to the one with average pooling."
    if ablations.contains(where: { $0.groups.contains(where: \.isUnfinished) }) {
      note += " " + RunGroup.unfinishedNote
    }
    var table = ReportTable(
      "ablation",
      caption: "Ablation: paths between the octaves, and down-sampling",
      note: note,
      columns: columns)
    for ablation in ablations {
      for group in ablation.groups {
        guard let model = group.model else { continue }
        let whole = ablation.whole(for: group)
        func ratio(_ value: Double?, _ other: Double?) -> Double? {
          guard let value, let other, other > 0 else { return nil }
          return value / other
        }
        let isCompared = !group.isWhole && !group.isProvisional && whole?.isProvisional == false
        let difference =
          isCompared
          ? whole.flatMap { PairedDifference(group.bestTop1BySeed, minus: $0.bestTop1BySeed) } : nil
        var row = [
          group.labelCell, .text(model.lowToHigh ? "yes" : "no"),
          .text(model.highToLow ? "yes" : "no"),
          .text(model.downsampling.rawValue), .count(group.counted.count),
          .spread(group.bestTop1) { ReportNumber.percent($0) },
          .number(difference?.mean, ReportNumber.points), Self.interval(difference?.interval),
          .count(difference?.count),
          .number(
            ratio(group.cost.map { Double($0.total.macs) }, whole?.cost.map { Double($0.total.macs) })
          ) { ReportNumber.fixed($0, 2) },
        ]
        if let conditions {
          let time = ratio(
            group.timing(conditions)?.seconds.median, whole?.timing(conditions)?.seconds.median)
          row.append(.number(time) { ReportNumber.fixed($0, 2) })
        }
        table.add(row)
      }
    }
    return table
  }
}

extension RunGroup {
  /// Its numbers are those of runs that go on.
  var isUnfinished: Bool { isProvisional && !counted.isEmpty }

  /// Behind its name where such numbers stand beside those of complete runs.
  var mark: String { isUnfinished ? " *" : "" }

  static let unfinishedNote = "* No run of this setting is complete."

  /// What names its row.
  var labelCell: ReportTable.Cell { ReportTable.Cell(label + mark, values: [label]) }
}
