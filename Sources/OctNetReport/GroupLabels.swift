import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport
import OctNetTraining

/// Names groups by what differs between them: "α = 0.125", "α = 0.125, no L→H", "α = 0.125, strided".
enum GroupLabels {
  /// One label a group, all of them different.
  static func labels(of groups: [RunGroup]) -> [String] {
    let models = groups.filter { $0.model != nil }.map(\.settings)
    var parts = groups.map { _ in [String]() }
    let names = Set(models.flatMap(\.names)).subtracting(leading).sorted()
    for name in leading + names where Set(models.map { $0[name] }).count > 1 {
      for (_, members) in classes(groups.indices.filter { groups[$0].model != nil }, by: { parts[$0] }) {
        // Of the rest, what tells no further groups apart would only make the labels longer.
        let isTold = Set(members.map { groups[$0].settings[name] }).count == 1
        guard !isTold || leading.contains(name) else { continue }
        for index in members {
          // Of two networks at α = 0, strided is no longer what a reader expects anyway.
          let isOneOfTwo = name == "model.downsampling" && !isTold && groups[index].model?.alpha == 0
          let value = groups[index].settings[name]
          if let part = isOneOfTwo ? value : part(name, value, of: groups[index]) {
            parts[index].append(part)
          }
        }
      }
    }
    for index in groups.indices where groups[index].isWithoutLowMaps {
      // One run tells of both where the other was not trained.
      let isAlone = !groups.contains {
        $0.index != groups[index].index && $0.isSameNetwork(as: groups[index])
      }
      guard isAlone, let place = parts[index].firstIndex(where: { Self.twinParts.contains($0) }) else {
        continue
      }
      parts[index][place] = Self.twinParts.joined(separator: " = ")
    }
    // Where the others are called by what they lack, the whole network needs a name as well.
    if models.count > 1 && groups.indices.contains(where: { groups[$0].model != nil && parts[$0].isEmpty }) {
      for index in groups.indices where !parts[index].contains(where: { $0.hasPrefix("α = ") }) {
        guard let alpha = part("model.alpha", groups[index].settings["model.alpha"], of: groups[index]) else {
          continue
        }
        parts[index].insert(alpha, at: 0)
      }
    }
    return groups.indices.map { index in
      guard let model = groups[index].model else { return groups[index].first.name }
      guard parts[index].isEmpty else { return parts[index].joined(separator: ", ") }
      return "\(model.name), α = \(format(model.alpha, digits: 6))"
    }
  }

  /// The settings that say most, in the order of a label; it has all of them that differ anywhere.
  static let leading = [
    "model.name", "model.widthMultiplier", "model.alpha", "model.lowToHigh", "model.highToLow",
    "model.keepsMerging", "model.downsampling", "model.variant", "model.stem", "optimizer.name",
    "schedule.base",
    "schedule.shape.name", "batchSize", "epochs",
  ]
  private static func classes(_ indices: [Int], by key: (Int) -> [String]) -> [([String], [Int])] {
    var classes: [([String], [Int])] = []
    for index in indices {
      let own = key(index)
      if let match = classes.firstIndex(where: { $0.0 == own }) {
        classes[match].1.append(index)
      } else {
        classes.append((own, [index]))
      }
    }
    return classes
  }

  /// Without a way for the low maps to the output, the path into them makes no difference.
  private static let twinParts = ["no L→H", "no exchange"]

  /// `nil` for what a reader expects anyway.
  private static func part(_ name: String, _ value: String?, of group: RunGroup) -> String? {
    switch (name, value) {
    case ("model.name", let value?): return value
    case ("model.widthMultiplier", let value?): return "width \(value)"
    case ("model.widthMultiplier", nil): return nil
    case ("model.alpha", let value?): return "α = \(value)"
    case ("model.lowToHigh", "no"):
      let part = group.model?.highToLow == false ? "no exchange" : "no L→H"
      return group.model?.keepsMerging == true ? part + " but merging" : part
    case ("model.highToLow", "no"): return group.model?.lowToHigh == false ? nil : "no H→L"
    case ("model.lowToHigh", _), ("model.highToLow", _), ("model.keepsMerging", _): return nil
    case ("model.downsampling", let value?):
      guard let model = group.model, model.downsampling != .usual(alpha: model.alpha) else { return nil }
      return value
    case ("model.variant", let value?): return value == Variant.paper.rawValue ? nil : "\(value) variant"
    case ("model.stem", let value?): return "\(value) stem"
    case ("optimizer.name", let value?), ("schedule.shape.name", let value?): return value
    case ("schedule.base", let value?): return "learning rate \(value)"
    case ("batchSize", let value?): return "batch \(value)"
    case ("epochs", let value?): return "\(value) epoch\(value == "1" ? "" : "s")"
    case (_, let value?): return "\(SettingNames.title(name)) \(value)"
    case ("model.alpha", nil): return nil
    case (_, nil): return "no \(SettingNames.title(name))"
    }
  }
}

/// What settings are called on the page.
enum SettingNames {
  private static let titles = [
    "model.name": "network", "model.widthMultiplier": "width multiplier", "model.alpha": "α",
    "model.stem": "stem", "model.variant": "variant",
    "model.downsampling": "down-sampling", "model.lowToHigh": "path L→H", "model.highToLow": "path H→L",
    "model.keepsMerging": "path L→H where octaves merge",
    "model.classes": "classes", "model.inputHeight": "image height", "model.inputWidth": "image width",
    "model.inputChannels": "image channels", "optimizer.name": "optimizer", "batchSize": "batch size",
    "schedule.base": "learning rate", "schedule.shape.name": "schedule", "schedule.shape.size": "step epochs",
    "schedule.shape.gamma": "step factor", "schedule.warmupEpochs": "warm-up epochs",
    "weightDecay": "weight decay", "excludeNormsAndBiases": "norms and biases excluded from decay",
    "labelSmoothing": "label smoothing", "clipGradientNorm": "largest gradient norm",
    "augmentation.cropPadding": "crop padding", "augmentation.horizontalFlip": "horizontal flip",
    "normalization.mean": "pixel mean", "normalization.std": "pixel deviation",
    "accumulationSteps": "batches per update", "shards": "shards of a batch",
    "reduceDtype": "numbers of the gradients' sum", "imageSizes": "image sizes",
    "emaDecay": "decay of averaged weights",
    "augmentation.repeats": "repeats of an image",
    "augmentation.autoAugment.policy": "automatic augmentation",
    "augmentation.autoAugment.magnitude": "magnitude", "augmentation.autoAugment.ops": "operations an image",
    "augmentation.randomErasing.probability": "random erasing", "cutmixAlpha": "CutMix α",
    "mixupProbability": "batches mixed", "mixupSwitchProbability": "of them by CutMix",
    "evaluation.cropRatio": "crop ratio", "evaluation.cropMode": "crop mode",
    "evaluation.interpolation": "interpolation", "evaluation.scaledDecoding": "scaled decoding",
    "classWeights": "class weights", "balancedSampler": "balanced sampler",
    "mixupAlpha": "mixup α", "frozen": "frozen", "parameterGroups": "parameter groups",
    "evaluateEvery": "epochs per evaluation", "bestMetric": "best by",
    "earlyStoppingEpochs": "patience in epochs", "trainLimit": "training images at most",
    "validation": "validation images", "testLimit": "test images at most",
    "skipDamaged": "damaged images left out", "inMemory": "images in memory", "workers": "threads that read",
    "exifOrientation": "turned as EXIF says", "testShare": "share taken for tests",
    "shuffleBuffer": "images shuffled at a time", "data": "data",
  ]

  /// Settings without a name of their own keep that of `config.json`.
  static func title(_ name: String) -> String {
    titles[name] ?? (name.hasPrefix("optimizer.") ? String(name.dropFirst("optimizer.".count)) : name)
  }
}
