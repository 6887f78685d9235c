import OctNetCore

/// How far a backward pass has come from the end of the parameters.
struct BackwardFrontier {
  /// Where each parameter begins, where the last one ends, and whether its gradient is known and nothing reads it any more.
  private let starts: [Int]
  private let end: Int
  private var isDone: [Bool]
  /// Parameters at the beginning, of which the last one is not done.
  private var left: Int

  /// Those that are frozen are done.
  init(_ parameters: ParameterStore) {
    starts = parameters.entries.map(\.range.lowerBound)
    isDone = parameters.entries.map(\.isFrozen)
    left = starts.count
    end = parameters.count
    advance()
  }

  /// The first place behind which all parameters are done.
  var place: Int { left == starts.count ? end : starts[left] }

  mutating func finish(_ parameters: [ParameterID]) {
    for parameter in parameters { isDone[parameter.index] = true }
    advance()
  }

  private mutating func advance() {
    while left > 0, isDone[left - 1] { left -= 1 }
  }
}
