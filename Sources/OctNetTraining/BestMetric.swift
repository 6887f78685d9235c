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
  /// A metric of the run's own, larger is better, decides where there is one.
  func prefers(_ new: EvaluationResult, to old: EvaluationResult) -> Bool {
    if let new = new.metric, let old = old.metric { return old.isNaN ? !new.isNaN : new > old }
    let (new, old) = (value(of: new), value(of: old))
    if old.isNaN { return !new.isNaN }
    return self == .loss ? new < old : new > old
  }
}
