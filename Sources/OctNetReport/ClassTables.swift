import OctNetData
import OctNetSupport
import OctNetTraining

/// Accuracy by class and what is taken for what.
extension Comparison {
  private typealias Column = ReportTable.Column
  private typealias Cell = ReportTable.Cell

  /// With more classes than this, the page shows the extremes; the files have all.
  static let mostClassesShown = 20
  private static let extremes = 10

  /// Every class of every group with results; `nil` without any.
  var classTable: ReportTable? {
    guard let best = bestRun else { return nil }
    let names = best.evaluation.classNames
    let groups = groups.filter { !Self.evaluations(of: $0, names).isEmpty }
    var note = "Of the class's test images, \(hasLastOnTest ? "best evaluation, " : "")mean over the runs."
    if groups.contains(where: \.isUnfinished) { note += " " + RunGroup.unfinishedNote }
    var table = ReportTable(
      "classes",
      caption: "Accuracy by class (%)",
      note: note,
      columns: [Column("class", csv: ["class"], isText: true)]
        + groups.map { group -> Column in
          let title = self.groups.count == 1 ? "accuracy (%)" : group.label
          return Column(title + group.mark, csv: [group.label])
        })
    for (index, name) in names.enumerated() {
      table.add(
        [.text(name)]
          + groups.map { group in
            let accuracies = Self.evaluations(of: group, names).compactMap { $0.perClassAccuracy[index] }
            return .number(Spread(accuracies)?.mean) { ReportNumber.percent($0, 1) }
          })
    }
    return table
  }

  private static func evaluations(of group: RunGroup, _ names: [String]) -> [EvaluationResult] {
    group.counted.compactMap(\.bestEvaluation).filter { $0.classNames == names }
  }

  /// The classes that the best run knows worst and best, for tables that would be too long.
  var extremeClassesTable: ReportTable? {
    guard let best = bestRun, let all = classTable else { return nil }
    let accuracies = best.evaluation.perClassAccuracy
    let sorted = accuracies.indices.filter { accuracies[$0] != nil }
      .sorted { (accuracies[$0] ?? 0, $0) < (accuracies[$1] ?? 0, $1) }
    guard sorted.count > 2 * Self.extremes else { return all }
    var table = all
    table.note =
      "The \(counted(Self.extremes, "class", plural: "classes")) that the best run, \(best.run.name), recognises least and most, of "
      + "\(accuracies.count). " + all.note
    table.rows = (sorted.prefix(Self.extremes) + sorted.suffix(Self.extremes)).map { all.rows[$0] }
    return table
  }

  /// The confusion matrix of the best run.
  var confusionTable: ReportTable? {
    guard let best = bestRun else { return nil }
    let names = best.evaluation.classNames
    var table = ReportTable(
      "confusion",
      caption: "Test images of each class (rows) by what \(best.run.name) takes them for (columns)",
      columns: [Column("class", csv: ["class"], isText: true)] + names.map { Column($0, csv: [$0]) })
    for (name, row) in zip(names, best.evaluation.confusion) {
      table.add([.text(name)] + row.map { .count($0) })
    }
    return table
  }

  /// What is mistaken most often; `nil` without mistakes.
  var mistakesTable: ReportTable? {
    guard let best = bestRun else { return nil }
    let (names, confusion) = (best.evaluation.classNames, best.evaluation.confusion)
    var mistakes: [(label: Int, prediction: Int, images: Int)] = []
    for (label, row) in confusion.enumerated() {
      for (prediction, images) in row.enumerated() where prediction != label && images > 0 {
        mistakes.append((label, prediction, images))
      }
    }
    guard !mistakes.isEmpty else { return nil }
    mistakes.sort { ($1.images, $0.label, $0.prediction) < ($0.images, $1.label, $1.prediction) }
    var table = ReportTable(
      "mistakes", caption: "The most frequent mistakes of \(best.run.name), in test images",
      columns: [
        Column("class", csv: ["class"], isText: true), Column("taken for", csv: ["prediction"], isText: true),
        Column("images", csv: ["images"]), Column("of the class (%)", csv: ["share"]),
      ])
    for (label, prediction, images) in mistakes.prefix(names.count > Self.mostClassesShown ? 20 : 10) {
      let share = Double(images) / Double(best.evaluation.imageCount(of: label))
      table.add([
        .text(names[label]), .text(names[prediction]), .count(images),
        .number(share) { ReportNumber.percent($0, 1) },
      ])
    }
    return table
  }
}
