import OctNet

extension Checkpoint {
  /// What the weights are for.
  enum Use {
    /// Fine-tuning the network that the flags of `train` describe, for these classes.
    case start(ClassLabels, byNumber: Bool)
    /// Scoring on a data set, or prediction; the network is the file's own, or it was named on the command line.
    case scoring(isNamed: Bool), prediction(isNamed: Bool)
  }

  /// Loads the weights into `network` and says on standard error what had to be done first.
  /// - Throws: `OctNetError.stateDictionary`; `OctNetError.file` with the flags that would make the network fit.
  func load(into network: Network, for use: Use) throws {
    let report: LoadReport
    do throws(OctNetError) {
      switch use {
      case .start(let labels, let byNumber):
        report = try loadPretrained(into: network, for: labels, classesByNumber: byNumber)
      case .scoring, .prediction: report = try load(into: network)
      }
    } catch {
      guard case .stateDictionary(let mismatch) = error, let path, let advice = use.advice(mismatch) else {
        throw error
      }
      throw OctNetError.file(path: path, "\(mismatch.problem); \(advice)")
    }
    for line in report.lines { Terminal.printError("\(path ?? "weights"): \(line)") }
  }
}

extension Checkpoint.Use {
  /// What to change on the command line, nil where that does not help or nobody knows.
  func advice(_ mismatch: StateMismatch) -> String? {
    switch mismatch.cause {
    case .noClassifier: return "give it one with: octcli train --weights"
    case .architecture(let file, let network):
      var flags = Self.flags(for: file, insteadOf: network)
      switch self {
      case .scoring(isNamed: false), .prediction(isNamed: false): return nil
      case .start, .scoring: break
      case .prediction:
        if let classes = file.classes, classes != network.classes { flags += ["--classes", "\(classes)"] }
      }
      return flags.isEmpty ? nil : "try \(flags.joined(separator: " "))"
    default: return nil
    }
  }

  /// Empty where no flags make a network of these traits.
  private static func flags(for file: ResNetTraits, insteadOf network: ResNetTraits) -> [String] {
    guard let depth = file.depth, file.additions.isEmpty, file.width == depth.stemChannels,
      file.groups == 1, let stem = file.stem
    else { return [] }
    var flags: [String] = []
    if depth != network.depth { flags += ["--model", depth.rawValue] }
    if let alpha = file.alpha, alpha != network.alpha { flags += ["--alpha", alpha == 0 ? "0" : "\(alpha)"] }
    // The stem follows the model's name.
    let usual: Stem = depth.isCIFAR ? .cifar : .imagenet
    if stem != network.stem || (depth != network.depth && stem != usual) {
      flags += ["--stem", stem.rawValue]
    }
    guard file.alpha != 0 else { return flags }
    if let variant = file.variant, variant != network.variant ?? .paper {
      flags += ["--variant", variant.rawValue]
    }
    if file.lowToHigh == false, network.lowToHigh != false { flags.append("--no-low-to-high") }
    if file.highToLow == false, network.highToLow != false { flags.append("--no-high-to-low") }
    return flags
  }
}
