import OctNetSupport

/// How the outputs of octave convolutions are divided, as keys and shapes of a state dictionary say.
enum OctaveSplits {
  /// [low, both] of the outputs of each convolution with a low map; at most 32.
  static func all(_ shapes: [String: [Int]]) -> Set<[Int]> {
    var splits: Set<[Int]> = []
    for layer in layers(shapes) where splits.count < 32 {
      let low = channels(layer, ["l2l", "h2l"], shapes)
      let (sum, overflow) = low.addingReportingOverflow(channels(layer, ["h2h", "l2h"], shapes))
      if low > 0, !overflow { splits.insert([low, sum]) }
    }
    return splits
  }

  /// The names in front of `.conv_h2h.weight`, …
  static func layers(_ shapes: [String: [Int]]) -> Set<String> {
    Set(
      shapes.keys.compactMap { name -> String? in
        guard name.hasSuffix(".weight") else { return nil }
        let stem = name.dropLast(".conv_x2x.weight".count)
        return name.dropFirst(stem.count).hasPrefix(".conv_") ? String(stem) : nil
      })
  }

  /// Outputs of the first of the paths that is there.
  static func channels(_ layer: String, _ paths: [String], _ shapes: [String: [Int]]) -> Int {
    paths.lazy.compactMap { shapes["\(layer).conv_\($0).weight"]?.first }.first ?? 0
  }
}
