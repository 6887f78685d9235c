import OctNetCheckpoint
import OctNetCore
import OctNetModels
import OctNetSupport
import OctNetTraining

/// Runs on the same data that differ in nothing but the seed, the threads and where the data lies:
/// repetitions of one experiment.
struct RunGroup: Sendable {
  /// Seconds of training an epoch takes.
  struct Timing: Sendable {
    var conditions: TimingConditions
    /// Over all epochs of the runs.
    var seconds: Spread
  }

  /// What tells it from the other groups.
  var label = ""
  /// Its place among the groups, which decides its colour.
  var index = 0
  /// In the order in which they were found.
  var runs: [RunRecord]
  /// `nil` for a network that is not one of the package's.
  let cost: CostSummary?

  /// Settings that repetitions may differ in.
  static let free: Set<String> = [
    "seed", "threads", "checkpointEverySteps", "data", "inMemory", "workers", "skipDamaged",
  ]

  /// Of runs on the same data. Groups keep the order in which their first runs were found, then go by model,
  /// α and path switches.
  ///
  /// - Throws: `OctNetError.file` for a model that cannot be built.
  static func groups(of runs: [RunRecord]) throws(OctNetError) -> [RunGroup] {
    var groups: [RunGroup] = []
    var costs: [(model: ModelConfiguration, cost: CostSummary)] = []
    for run in runs {
      // Nothing says whether two networks without a name are the same.
      if run.configuration.model != nil, let match = groups.firstIndex(where: { $0.repeats(run) }) {
        groups[match].runs.append(run)
        continue
      }
      var cost: CostSummary?
      if let model = run.configuration.model {
        cost = costs.first { $0.model == model }?.cost
        if cost == nil {
          let computed: CostSummary
          do {
            computed = try model.makeGraph().costSummary()
          } catch { throw OctNetError.file(path: run.path + "/config.json", "model: \(error)") }
          costs.append((model, computed))
          cost = computed
        }
      }
      groups.append(RunGroup(runs: [run], cost: cost))
    }
    var sorted = groups.enumerated().sorted { a, b in
      let (x, y) = (a.element.rank, b.element.rank)
      return x.lexicographicallyPrecedes(y) || (x == y && a.offset < b.offset)
    }.map(\.element)
    for index in sorted.indices { sorted[index].index = index }
    for (index, label) in GroupLabels.labels(of: sorted).enumerated() { sorted[index].label = label }
    return sorted
  }

  private init(runs: [RunRecord], cost: CostSummary?) {
    self.runs = runs
    self.cost = cost
  }

  private func repeats(_ run: RunRecord) -> Bool {
    settings == run.settings.without(Self.free)
  }

  private var rank: [Double] {
    guard let model else { return [1] }
    let place = ModelConfiguration.modelNames.firstIndex(of: model.name) ?? 0
    let isUsual = model.downsampling == .usual(alpha: model.alpha)
    return [
      0, Double(place), model.widthMultiplier ?? 1, model.alpha, model.variant == .paper ? 0 : 1,
      isUsual ? 0 : 1,
      model.highToLow ? 0 : 1, model.lowToHigh ? 0 : 1, model.keepsMerging == true ? 1 : 0,
    ]
  }

  // MARK: What it is

  var first: RunRecord { runs[0] }
  var model: ModelConfiguration? { first.configuration.model }

  /// Those that all its runs share.
  var settings: SettingList { first.settings.without(Self.free) }

  /// Low maps reach no output, so that with or without the path from high to low it is one network.
  var isWithoutLowMaps: Bool {
    guard let model, model.alpha > 0, !model.lowToHigh else { return false }
    var other = model
    other.highToLow.toggle()
    return Self.isSameNetwork(model, other)
  }

  /// Whether they differ in settings that make no difference to the network.
  func isSameNetwork(as other: RunGroup) -> Bool {
    guard let model, let others = other.model else { return false }
    let paths = Comparison.pathSettings
    guard settings.without(paths) == other.settings.without(paths) else { return false }
    return Self.isSameNetwork(model, others)
  }

  private static func isSameNetwork(_ model: ModelConfiguration, _ other: ModelConfiguration) -> Bool {
    guard let graph = try? model.makeGraph(), let others = try? other.makeGraph() else { return false }
    return graph.isSameNetwork(as: others)
  }

  // MARK: What came of it

  /// The runs that count for means: the complete ones, or all that go on where none is complete; of each seed the first, as others
  /// with it repeat the same bits.
  var counted: [RunRecord] {
    var seeds: Set<UInt64> = []
    return scored.filter { seeds.insert($0.configuration.seed).inserted }
  }

  private var scored: [RunRecord] {
    let complete = runs.filter { $0.isComplete && $0.best != nil }
    return complete.isEmpty ? runs.filter { $0.best != nil && $0.failure == nil } : complete
  }

  /// Runs with the seed of an earlier one, which count with it.
  var repeated: [RunRecord] {
    var seeds: Set<UInt64> = []
    return scored.filter { !seeds.insert($0.configuration.seed).inserted }
  }

  /// Which images chose the best epochs of the runs that count.
  var chosenOn: Set<EvaluationImages> { Set(counted.map(\.chosenOn)) }

  /// None of its runs is complete.
  var isProvisional: Bool { !runs.contains(where: \.isComplete) }

  /// `nil` before the first evaluation.
  func spread(_ value: (RunRecord) -> Double?) -> Spread? { Spread(counted.compactMap(value)) }

  /// Of each seed.
  var bestTop1BySeed: [UInt64: Double] {
    Dictionary(
      counted.compactMap { run in run.best.map { (run.configuration.seed, $0.top1) } },
      uniquingKeysWith: { first, _ in first })
  }

  var bestTop1: Spread? { spread { $0.best?.top1 } }
  var lastTop1: Spread? { spread { $0.last?.top1 } }
  var bestLoss: Spread? { spread { $0.best?.loss } }

  /// One for each number of threads, the smallest first, on each machine.
  var timings: [Timing] {
    Set(runs.map(TimingConditions.init(of:))).sorted().compactMap { conditions in
      let same = runs.filter { TimingConditions(of: $0) == conditions }
      return Spread(same.flatMap(\.log.seconds)).map { Timing(conditions: conditions, seconds: $0) }
    }
  }

  func timing(_ conditions: TimingConditions) -> Timing? { timings.first { $0.conditions == conditions } }
}
