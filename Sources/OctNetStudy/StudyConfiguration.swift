import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport
import OctNetTraining

/// A list of runs that differ in α, in the information that the octaves exchange, in how maps get smaller, and in their
/// seed: the comparisons of the octave convolution paper (Chen et al. 2019, sections 4.1 and 4.2).
public struct StudyConfiguration: Codable, Equatable, Sendable {
  /// What all runs have in common; its model's α, path switches and downsampling are replaced.
  public var base: TrainingConfiguration
  /// Each is a run for every seed.
  public var alphas: [Double]
  /// At this α: both paths between the octaves, one of them, none, none but where the octaves merge, and the other way to
  /// make maps smaller.
  public var ablationAlpha: Double?
  /// How often each run is repeated, with the base's seed and those after it.
  public var seeds: Int
  /// `nil`: strided at α = 0, average elsewhere. At α = 0 there are both where there are other ratios to compare with.
  public var downsampling: Downsampling?

  /// - Precondition: none; `validate` says what does not fit.
  public init(
    base: TrainingConfiguration, alphas: [Double], ablationAlpha: Double? = nil, seeds: Int = 1,
    downsampling: Downsampling? = nil
  ) {
    self.base = base
    self.alphas = alphas
    self.ablationAlpha = ablationAlpha
    self.seeds = seeds
    self.downsampling = downsampling
  }

  /// One run, and the name of its directory.
  public struct PlannedRun: Equatable, Sendable {
    /// As its directory is called.
    public var name: String
    /// The settings of the run.
    public var configuration: TrainingConfiguration
    /// An earlier run whose network and seed are the same, so that this one need not be trained; `nil` for most.
    public var twin: String?
  }

  /// Every comparison once with the first seed, then with the next: an unfinished study has whole tables of fewer seeds.
  /// - Throws: as `ModelConfiguration.makeGraph`.
  public func runs() throws -> [PlannedRun] {
    guard let model = base.model else { return [] }
    let variants = try Self.twinned(variants(of: model))
    return (0..<seeds).flatMap { repetition in
      let seed = base.seed &+ UInt64(repetition)
      return variants.map { variant in
        var configuration = base
        configuration.model = variant.model
        configuration.seed = seed
        return PlannedRun(
          name: "\(variant.name)-seed-\(seed)", configuration: configuration,
          twin: variant.twin.map { "\($0)-seed-\(seed)" })
      }
    }
  }

  /// What differs between the runs of one seed.
  private struct Row {
    var name: String
    var model: ModelConfiguration
    var twin: String?
  }

  /// With the first row of the same network as the twin of those after it.
  private static func twinned(_ rows: [Row]) throws -> [Row] {
    var graphs: [(name: String, graph: Graph)] = []
    return try rows.map { row in
      var row = row
      let graph = try row.model.makeGraph()
      row.twin = graphs.first { $0.graph.isSameNetwork(as: graph) }?.name
      graphs.append((row.name, graph))
      return row
    }
  }

  private func variants(of model: ModelConfiguration) -> [Row] {
    func at(_ alpha: Double) -> Row {
      var result = model
      result.alpha = alpha
      result.downsampling = downsampling ?? .usual(alpha: alpha)
      (result.lowToHigh, result.highToLow, result.keepsMerging) = (true, true, nil)
      return Row(name: "alpha-\(alpha)", model: result)
    }
    func other(_ row: Row) -> Row {
      var row = row
      row.model.downsampling = row.model.downsampling == .average ? .strided : .average
      row.name += "-\(row.model.downsampling)"
      return row
    }
    var rows = alphas.flatMap { alpha in
      // What α is worth shows against a network whose maps get smaller in the same way.
      alpha == 0 && (alphas.count > 1 || ablationAlpha != nil) ? [at(0), other(at(0))] : [at(alpha)]
    }
    guard let alpha = ablationAlpha else { return rows }
    if !alphas.contains(alpha) { rows.append(at(alpha)) }
    for (suffix, lowToHigh, highToLow, keepsMerging) in [
      ("no-low-to-high", false, true, nil), ("no-high-to-low", true, false, nil),
      ("no-exchange", false, false, nil), ("no-exchange-but-merging", false, false, true),
    ] {
      var ablated = at(alpha)
      ablated.name += "-" + suffix
      ablated.model.lowToHigh = lowToHigh
      ablated.model.highToLow = highToLow
      ablated.model.keepsMerging = keepsMerging
      rows.append(ablated)
    }
    rows.append(other(at(alpha)))
    return rows
  }

  /// - Throws: `OctNetError.configuration` for the first setting out of its range.
  public func validate() throws(OctNetError) {
    guard base.model != nil else {
      throw OctNetError.configuration(key: "base.model", "missing: a study needs one of the package's models")
    }
    guard !alphas.isEmpty, Set(alphas).count == alphas.count, alphas.allSatisfy((0...1).contains) else {
      throw OctNetError.configuration(
        key: "alphas", "found \(alphas), expected different ratios from 0 to 1, at least one")
    }
    if let alpha = ablationAlpha, !(alpha > 0 && alpha < 1) {
      throw OctNetError.configuration(
        key: "ablationAlpha", "found \(alpha), expected more than 0 and less than 1: two octaves")
    }
    guard SettingBounds.studySeeds.contains(seeds) else {
      throw OctNetError.configuration(key: "seeds", "found \(seeds), expected 1 to 1000")
    }
    if let path = base.initialWeights {
      throw OctNetError.configuration(
        key: "initialWeights", "found \(path), expected none: the networks of a study differ and begin random"
      )
    }
    try base.validate()
  }

  /// - Throws: `OctNetError.configuration` that names what differs and would make the study another one.
  func validate(continuing earlier: StudyConfiguration) throws(OctNetError) {
    var comparable = earlier
    comparable.base = earlier.base.changed(as: base)
    guard comparable != self else { return }
    var keys = StrictJSON.differingKeys(self, comparable)
    if keys == ["base"] { keys = StrictJSON.differingKeys(base, comparable.base) }
    throw OctNetError.configuration(
      key: keys.joined(separator: ", "),
      "differs from the settings of the study; only \(TrainingConfiguration.changeable) may change")
  }
}
