import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport
import OctNetTraining

/// The groups of one data set: only their accuracies can be compared.
struct Comparison: Sendable {
  let dataName: String
  let groups: [RunGroup]

  /// One for each data set, in the order in which their first runs were found.
  /// - Throws: as `RunGroup.groups`.
  static func comparisons(of runs: [RunRecord]) throws(OctNetError) -> [Comparison] {
    var comparisons: [Comparison] = []
    for data in RunDataSet.sets(of: runs) {
      comparisons.append(Comparison(dataName: data.name, groups: try RunGroup.groups(of: data.runs)))
    }
    return comparisons
  }

  var runs: [RunRecord] { groups.flatMap(\.runs) }

  /// That of the highest mean, or the lowest of a loss; complete runs come before those that are not.
  var best: RunGroup? {
    let scored = groups.filter { score(of: $0) != nil }
    let complete = scored.filter { !$0.isProvisional }
    return (complete.isEmpty ? scored : complete).max { isWorse($0, than: $1) }
  }

  /// The run with the highest accuracy among those whose confusion matrix is known; complete ones come first.
  var bestRun: (group: RunGroup, run: RunRecord, evaluation: EvaluationResult)? {
    let known = groups.filter { $0.counted.contains { $0.classified != nil } }
    let complete = known.filter { !$0.isProvisional }
    var best: (group: RunGroup, run: RunRecord, evaluation: EvaluationResult)?
    for group in complete.isEmpty ? known : complete {
      for run in group.counted {
        guard let evaluation = run.classified else { continue }
        if best.map({ evaluation.top1 > $0.evaluation.top1 }) ?? true { best = (group, run, evaluation) }
      }
    }
    return best
  }

  // MARK: Against α = 0

  private static let octaveSettings: Set<String> = [
    "model.alpha", "model.lowToHigh", "model.highToLow", "model.keepsMerging", "model.downsampling",
    "model.variant",
  ]

  /// The group that is the same but for α = 0, where the variant and torchvision's down-sampling come first: what costs are
  /// compared with.
  func reference(of group: RunGroup) -> RunGroup? {
    reference(of: group, .strided) ?? reference(of: group, .average)
  }

  /// The group that is the same but for α = 0 and this down-sampling.
  func reference(of group: RunGroup, _ downsampling: Downsampling) -> RunGroup? {
    guard let model = group.model else { return nil }
    let own = group.settings.without(Self.octaveSettings)
    let candidates = groups.filter {
      $0.model?.alpha == 0 && $0.model?.downsampling == downsampling
        && $0.settings.without(Self.octaveSettings) == own
    }
    return candidates.first { $0.model?.variant == model.variant } ?? candidates.first
  }

  /// Multiply–accumulates as a part of those of the reference.
  func macsRatio(_ group: RunGroup) -> Double? { reference(of: group).flatMap { macsRatio(group, to: $0) } }

  func macsRatio(_ group: RunGroup, to other: RunGroup) -> Double? {
    guard let macs = group.cost?.total.macs, let others = other.cost?.total.macs, others > 0 else {
      return nil
    }
    return Double(macs) / Double(others)
  }

  // MARK: Ablation

  /// Groups that differ in nothing but the paths between the octaves and the down-sampling, the whole network first.
  struct Ablation: Sendable {
    let alpha: Double
    let groups: [RunGroup]
    /// The network with both paths and the usual down-sampling, `nil` where it was not run.
    var whole: RunGroup? { groups.first { $0.isWhole } }

    /// What a network without some path is compared with: the one with both and the same down-sampling; with both paths,
    /// the one with the usual down-sampling.
    func whole(for group: RunGroup) -> RunGroup? {
      guard let model = group.model, !(model.lowToHigh && model.highToLow) else { return whole }
      return groups.first {
        $0.model?.lowToHigh == true && $0.model?.highToLow == true
          && $0.model?.downsampling == model.downsampling
      }
    }
  }

  /// The paths between the octaves, and the down-sampling.
  static let pathSettings: Set<String> = [
    "model.lowToHigh", "model.highToLow", "model.keepsMerging", "model.downsampling",
  ]

  var ablations: [Ablation] {
    var ablations: [(key: SettingList, alpha: Double, groups: [RunGroup])] = []
    for group in groups {
      guard let model = group.model, model.alpha > 0 else { continue }
      let key = group.settings.without(Self.pathSettings)
      if let match = ablations.firstIndex(where: { $0.key == key }) {
        ablations[match].groups.append(group)
      } else {
        ablations.append((key, model.alpha, [group]))
      }
    }
    return ablations.filter { $0.groups.count > 1 }.map { ablation in
      let whole = ablation.groups.filter(\.isWhole)
      return Ablation(alpha: ablation.alpha, groups: whole + ablation.groups.filter { !$0.isWhole })
    }
  }
}

extension RunGroup {
  /// Both paths between the octaves, the usual down-sampling.
  var isWhole: Bool {
    guard let model else { return false }
    return model.lowToHigh && model.highToLow && model.downsampling == .usual(alpha: model.alpha)
  }
}
