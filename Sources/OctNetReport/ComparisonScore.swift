import OctNetData
import OctNetSupport
import OctNetTraining

/// What the runs are judged by: top-1 of the best evaluation, or its loss where nothing is right or wrong.
extension Comparison {
  /// Before the first evaluation, networks are taken for ones that tell classes apart.
  var hasAccuracy: Bool {
    let known = runs.compactMap(\.hasAccuracy)
    return known.isEmpty || known.contains(true)
  }

  /// `nil` before the first evaluation on the test images.
  func score(of group: RunGroup) -> Spread? { hasAccuracy ? group.bestTop1 : group.bestLoss }

  /// Whether the mean is lower, or that of a loss higher. One that is not a number is the worst.
  func isWorse(_ group: RunGroup, than other: RunGroup) -> Bool {
    func merit(_ group: RunGroup) -> Double {
      guard let mean = score(of: group)?.mean, !mean.isNaN else { return -.infinity }
      return hasAccuracy ? mean : -mean
    }
    return merit(group) < merit(other)
  }

  /// "75.00 ± 0.71 %", or a loss.
  func scoreText(_ score: Spread) -> String {
    hasAccuracy ? ReportNumber.percent(score) + " %" : ReportNumber.fixed(score, 4)
  }

  /// The same for a run.
  func scoreCell(_ score: RunRecord.Score?) -> ReportTable.Cell {
    guard hasAccuracy else { return .number(score?.loss) { ReportNumber.fixed($0, 4) } }
    return .number(score?.top1) { ReportNumber.percent($0) }
  }
}
