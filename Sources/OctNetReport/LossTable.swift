import OctNetData
import OctNetSupport
import OctNetTraining

/// What networks reached whose predictions are not right or wrong.
extension Comparison {
  /// Best and last loss of networks that are judged by it; `nil` for others and before the first evaluation.
  var lossTable: ReportTable? {
    guard !hasAccuracy, groups.contains(where: { $0.bestLoss != nil }) else { return nil }
    let hasValidation = runs.contains { $0.chosenOn == .validation }
    var columns = [
      ReportTable.Column("setting", csv: ["setting"], isText: true), ReportTable.Column("n", csv: ["n"]),
      ReportTable.Column(
        hasLastOnTest ? "best loss" : "loss", csv: ["best_test_loss_mean", "best_test_loss_deviation"]),
    ]
    if hasLastOnTest {
      columns.append(.init("last loss", csv: ["last_test_loss_mean", "last_test_loss_deviation"]))
    }
    if hasValidation {
      columns.append(.init("validation loss", csv: ["validation_loss_mean", "validation_loss_deviation"]))
    }
    var table = ReportTable(
      "losses", caption: "Loss on the test images", note: evaluationNote, columns: columns)
    func cell(_ spread: Spread?) -> ReportTable.Cell { .spread(spread) { ReportNumber.fixed($0, 4) } }
    let lowest = best?.index
    for group in groups {
      var row = [
        group.labelCell, .count(group.counted.count),
        cell(group.bestLoss).strong(groups.count > 1 && group.index == lowest),
      ]
      if hasLastOnTest { row.append(cell(group.spread { $0.last?.loss })) }
      if hasValidation {
        row.append(cell(group.spread { $0.chosenOn == .validation ? $0.chosen?.loss : nil }))
      }
      table.add(row)
    }
    return table
  }
}
