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
  /// At this α: both paths between the octaves, one of them, none, and strided convolutions in place of pools.
  public var ablationAlpha: Double?
  /// How often each run is repeated, with the base's seed and those after it.
  public var seeds: Int
  /// `nil`: strided at α = 0, average elsewhere.
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
  }

  /// Every comparison once with the first seed, then with the next: an unfinished study has whole tables of fewer seeds.
  public func runs() -> [PlannedRun] {
    guard let model = base.model else { return [] }
    return (0..<seeds).flatMap { repetition in
      variants(of: model).map { name, model in
        var configuration = base
        configuration.model = model
        configuration.seed = base.seed &+ UInt64(repetition)
        return PlannedRun(name: "\(name)-seed-\(configuration.seed)", configuration: configuration)
      }
    }
  }

  private func variants(of model: ModelConfiguration) -> [(name: String, model: ModelConfiguration)] {
    func at(_ alpha: Double) -> ModelConfiguration {
      var result = model
      result.alpha = alpha
      result.downsampling = downsampling ?? .usual(alpha: alpha)
      (result.lowToHigh, result.highToLow) = (true, true)
      return result
    }
    var variants = alphas.map { (name: "alpha-\($0)", model: at($0)) }
    guard let alpha = ablationAlpha else { return variants }
    if !alphas.contains(alpha) { variants.append(("alpha-\(alpha)", at(alpha))) }
    for (suffix, lowToHigh, highToLow) in [
      ("no-low-to-high", false, true), ("no-high-to-low", true, false), ("no-exchange", false, false),
    ] {
      var ablated = at(alpha)
      (ablated.lowToHigh, ablated.highToLow) = (lowToHigh, highToLow)
      variants.append(("alpha-\(alpha)-\(suffix)", ablated))
    }
    var other = at(alpha)
    other.downsampling = other.downsampling == .average ? .strided : .average
    variants.append(("alpha-\(alpha)-\(other.downsampling)", other))
    return variants
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
