/// How much of the exchange between ranks the computation hides.
final class ExchangeMeter {
  /// Seconds of passes with all that belongs to them, and those of them that this process waited for others.
  var seconds = 0.0, waited = 0.0
  /// Floats that were exchanged on either way, and those that had arrived before a backward pass ended.
  var floats = 0, early = 0

  private let clock = ContinuousClock()

  /// Nothing else was to be done.
  func wait<Result>(_ body: () -> Result) -> Result {
    let start = clock.now
    defer { waited += (clock.now - start).inSeconds }
    return body()
  }

  /// A pass.
  func pass<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let start = clock.now
    defer { seconds += (clock.now - start).inSeconds }
    return try body()
  }

  /// What came together since the last call; nil where that is nothing.
  func take() -> ExchangeReport? {
    defer { (seconds, waited, floats, early) = (0, 0, 0, 0) }
    guard floats > 0, seconds > 0 else { return nil }
    return ExchangeReport(waited: waited / seconds, early: Double(early) / Double(floats))
  }
}

/// What the exchange with other ranks cost this one.
public struct ExchangeReport: Equatable, Sendable {
  /// Share of the training's time in which this process waited: for numbers on their way, and for ranks that were slower.
  public var waited: Double
  /// Share of the gradients and new weights that had arrived before the backward pass ended.
  public var early: Double

  package init(waited: Double, early: Double) {
    self.waited = waited
    self.early = early
  }
}
