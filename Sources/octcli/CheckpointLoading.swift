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
    for line in notes + report.lines { Terminal.printError("\(path ?? "weights"): \(line)") }
  }
}

extension Checkpoint.Use {
  /// What to change on the command line, nil where that does not help or nobody knows.
  func advice(_ mismatch: StateMismatch) -> String? {
    switch mismatch.cause {
    case .noClassifier: return "give it one with: octcli train --weights"
    case .architecture(_, _, let settings):
      switch self {
      case .scoring(isNamed: false), .prediction(isNamed: false): return nil
      // Their classes are those of the data.
      case .start, .scoring: return Self.advice(settings.filter { $0.key != "classes" })
      case .prediction: return Self.advice(settings)
      }
    default: return nil
    }
  }

  private static func advice(_ settings: [StateMismatch.Setting]) -> String? {
    let flags = settings.flatMap { setting in
      switch setting.key {
      case "name": return ["--model", setting.value]
      case "widthMultiplier": return ["--width-multiplier", setting.value]
      case "lowToHigh": return ["--no-low-to-high"]
      case "highToLow": return ["--no-high-to-low"]
      case "keepsMerging": return ["--keep-merging"]
      default: return ["--" + setting.key, setting.value]
      }
    }
    return flags.isEmpty ? nil : "try \(flags.joined(separator: " "))"
  }
}
