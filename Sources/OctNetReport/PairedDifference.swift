import OctNetSupport

/// What one setting has more than another, seed by seed: the same seed draws the same order of images for both, so that this
/// part of chance cancels.
struct PairedDifference: Equatable, Sendable {
  /// Own minus other, one for each seed that both have.
  let differences: Spread

  /// `nil` where no seed is in both.
  init?(_ own: [UInt64: Double], minus other: [UInt64: Double]) {
    let seeds = own.keys.filter { other[$0] != nil }.sorted()
    guard
      let differences = Spread(
        seeds.compactMap { seed in own[seed].flatMap { a in other[seed].map { a - $0 } } })
    else { return nil }
    self.differences = differences
  }

  var mean: Double { differences.mean }
  /// Pairs.
  var count: Int { differences.count }

  /// In which the true difference is with 95 % confidence; `nil` for one pair.
  var interval: ClosedRange<Double>? { differences.interval }

  /// Whether all of several differences are equal but for rounding.
  var isWithoutWidth: Bool { interval.map { $0.upperBound - $0.lowerBound < 1e-9 } ?? false }

  /// What the interval allows to say.
  enum Verdict: Equatable, Sendable { case above, below, open, single }

  var verdict: Verdict {
    guard let interval else { return .single }
    // Equal differences leave an interval without width: of a few runs on few images a coincidence, not a certainty.
    guard !isWithoutWidth else { return .open }
    return interval.lowerBound > 0 ? .above : interval.upperBound < 0 ? .below : .open
  }
}

extension Spread {
  static let confidence = 0.95

  /// mean ± t · deviation / √n, in which the true mean is with 95 % confidence; `nil` for one value.
  var interval: ClosedRange<Double>? {
    guard let deviation else { return nil }
    let half =
      StudentT.quantile(central: Self.confidence, degrees: count - 1) * deviation
      / Double(count).squareRoot()
    return mean - half...mean + half
  }
}

/// The deviation from run to run, over all settings that have several seeds: √(Σ(n − 1)s² / Σ(n − 1)).
struct RunDeviation: Equatable, Sendable {
  let deviation: Double
  let runs, settings: Int

  /// `nil` where no setting has two values.
  init?(_ spreads: [Spread]) {
    let several = spreads.filter { $0.count > 1 }
    let degrees = several.reduce(0) { $0 + $1.count - 1 }
    guard degrees > 0 else { return nil }
    let sum = several.reduce(0) { $0 + Double($1.count - 1) * ($1.deviation ?? 0) * ($1.deviation ?? 0) }
    deviation = (sum / Double(degrees)).squareRoot()
    runs = several.reduce(0) { $0 + $1.count }
    settings = several.count
  }
}
