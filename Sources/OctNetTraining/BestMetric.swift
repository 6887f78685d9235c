/// What decides which weights a run keeps as the best, and when it has stopped getting better.
public enum BestMetric: String, Codable, CaseIterable, Sendable {
  /// Highest accuracy on the test set.
  case top1, top5
  /// Lowest mean cross-entropy on the test set.
  case loss

  /// The number that is compared.
  public func value(of result: EvaluationResult) -> Double {
    switch self {
    case .top1: return result.top1
    case .top5: return result.top5
    case .loss: return result.loss
    }
  }

  /// Equal is not better, so that the earliest of equals stays; a number is better than none.
  ///
  /// A metric of the run's own, larger is better, decides where there is one, and the loss where predictions are not right or
  /// wrong.
  func prefers(_ new: EvaluationResult, to old: EvaluationResult) -> Bool {
    if let new = new.metric, let old = old.metric { return old.isNaN ? !new.isNaN : new > old }
    // Where nothing is right or wrong, as with a loss between numbers, accuracies are 0 from epoch to epoch.
    func isWithoutAccuracy(_ result: EvaluationResult) -> Bool {
      result.classNames.isEmpty && result.top1 == 0 && result.top5 == 0
    }
    let metric = isWithoutAccuracy(new) && isWithoutAccuracy(old) ? .loss : self
    let (value, best) = (metric.value(of: new), metric.value(of: old))
    if best.isNaN { return !value.isNaN }
    return metric == .loss ? value < best : value > best
  }
}
