import OctNetSupport

/// One number of several runs: its mean over the seeds and how far they are apart.
struct Spread: Equatable, Sendable {
  let values: [Double]

  /// `nil` for no values.
  init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    self.values = values
  }

  var count: Int { values.count }
  var mean: Double { values.reduce(0, +) / Double(values.count) }
  var minimum: Double { values.reduce(values[0]) { min($0, $1) } }
  var maximum: Double { values.reduce(values[0]) { max($0, $1) } }

  /// √(Σ(x − mean)² / (n − 1)), `nil` for one value.
  var deviation: Double? {
    guard count > 1 else { return nil }
    let mean = mean
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)).squareRoot()
  }

  /// The middle one, or the mean of the two middle ones.
  var median: Double {
    let sorted = values.sorted()
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
  }
}
