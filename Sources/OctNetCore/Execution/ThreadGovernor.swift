import Foundation

/// How many of its threads a session uses, while other processes use the processors too.
///
/// Threads wait for each other after every operation. Where one of them shares its processor with another process, or a quota
/// takes it away, the others wait with it, and fewer threads are faster. Results have the same bits for any number, so a session
/// may change it between two calls: it compares the processor time that it got with the time that passed, and where that is
/// too little for two seconds tries so many threads as there was time for. What is faster stays, and is questioned again after
/// some seconds.
///
/// On a machine of its own a session gets all it asks for, and nothing changes.
package struct ThreadGovernor {
  /// What a call took.
  package struct Measurement {
    /// Seconds that passed, and seconds of all threads of the process together.
    package var wall, processor: Double
    package var images: Int

    package init(wall: Double, processor: Double, images: Int) {
      self.wall = wall
      self.processor = processor
      self.images = images
    }

    package static func + (a: Measurement, b: Measurement) -> Measurement {
      Measurement(
        wall: a.wall + b.wall, processor: a.processor + b.processor, images: a.images + b.images)
    }
    var secondsPerImage: Double { wall / Double(max(1, images)) }
  }

  private enum State {
    /// All threads. Not tried with fewer before so many seconds are over.
    case all(rest: Double)
    /// All threads have too little time: a trial with fewer, against so many seconds an image.
    case trial(before: Double)
    /// Fewer are faster: so many seconds until all are tried again.
    case fewer(rest: Double)
    /// A trial with all of them, against so many seconds an image of fewer.
    case again(before: Double)
  }

  /// Threads' worth of time that may be missing. If more is, others use the processors.
  static let tolerance = 0.3
  /// Seconds that count as one measurement of a trial.
  static let window = 0.1
  /// Seconds over which all threads must have had too little time before fewer are tried: what others do for a moment now
  /// and then, a few hundred milliseconds every few seconds, costs less than a trial and the rest after it.
  static let patience = 2.0
  /// Seconds after a change that are not measured: a thread that is not needed any more waits actively for 0.2 seconds.
  static let settling = 0.3
  /// Seconds before a trial is repeated: at first, and at most, since each one that fails doubles them.
  static let rest = 2.0...60.0

  /// All of them.
  package let most: Int
  /// For the next call.
  package private(set) var threads: Int
  private let follows: Bool
  private var state = State.all(rest: 0)
  private var unsettled = 0.0
  private var measured = Measurement(wall: 0, processor: 0, images: 0)
  private var nextRest = rest.lowerBound

  /// - Parameter follows: false keeps all threads, as where the user has said how they are to wait
  ///   (`OMP_WAIT_POLICY`, `KMP_BLOCKTIME`): a thread that sleeps uses no time either.
  package init(threads: Int, follows: Bool = ThreadGovernor.isWanted) {
    most = threads
    self.threads = threads
    self.follows = follows && threads > 1
  }

  /// Whether nobody has said how threads are to wait.
  package static let isWanted: Bool = {
    let environment = ProcessInfo.processInfo.environment
    return environment["OMP_WAIT_POLICY"] == nil && environment["KMP_BLOCKTIME"] == nil
  }()

  /// Runs a call for so many images, and measures it.
  package mutating func measure<Result>(images: Int, _ call: (_ threads: Int) throws -> Result) rethrows
    -> Result
  {
    guard follows else { return try call(threads) }
    let (result, spent) = try Self.timed(images: images) { try call(threads) }
    add(spent)
    return result
  }

  /// Runs a part of a call, whose measurements are to be added up.
  package static func timed<Result>(images: Int, _ part: () throws -> Result) rethrows
    -> (Result, Measurement)
  {
    let wall = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID)
    let result = try part()
    let spent = Measurement(
      wall: seconds(CLOCK_MONOTONIC) - wall, processor: seconds(CLOCK_PROCESS_CPUTIME_ID) - processor,
      images: images)
    return (result, spent)
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// What the last call took.
  package mutating func add(_ call: Measurement) {
    guard follows else { return }
    if unsettled > 0 {
      unsettled -= call.wall
      return
    }
    measured = measured + call
    guard measured.wall >= length else { return }
    decide(measured)
    measured = Measurement(wall: 0, processor: 0, images: 0)
  }

  /// Seconds until the next decision.
  private var length: Double {
    if case .all = state { return Self.patience }
    return Self.window
  }

  private mutating func decide(_ window: Measurement) {
    switch state {
    case .all(let rest):
      guard window.processor < window.wall * (Double(most) - Self.tolerance) else {
        // Where nothing is wrong, the next trial need not wait.
        nextRest = Self.rest.lowerBound
        return state = .all(rest: 0)
      }
      guard rest <= 0 else { return state = .all(rest: rest - window.wall) }
      use(max(1, min(most - 1, Int(window.processor / window.wall))))
      state = .trial(before: window.secondsPerImage)
    case .trial(let before):
      if window.secondsPerImage < 0.97 * before {
        state = .fewer(rest: nextRest)
      } else {
        use(most)
        state = .all(rest: nextRest)
        lengthenRest()
      }
    case .fewer(let rest):
      guard rest <= window.wall else { return state = .fewer(rest: rest - window.wall) }
      use(most)
      state = .again(before: window.secondsPerImage)
    case .again(let before):
      if window.secondsPerImage < before {
        state = .all(rest: 0)
        nextRest = Self.rest.lowerBound
      } else {
        use(max(1, min(most - 1, Int(window.processor / window.wall))))
        state = .fewer(rest: nextRest)
        lengthenRest()
      }
    }
  }

  private mutating func lengthenRest() { nextRest = min(2 * nextRest, Self.rest.upperBound) }

  private mutating func use(_ count: Int) {
    threads = count
    unsettled = Self.settling
  }
}
