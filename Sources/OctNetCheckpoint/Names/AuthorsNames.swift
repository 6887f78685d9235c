import OctNetCore
import OctNetSupport

/// The names of the octave paper's authors in their MXNet files of pre-activation networks, and OctNet's for the same.
///
/// A unit, such as `L2_B01_conv1` (stage 1, block 1), has `_bn-h_gamma`, `_bn-l_beta`, … and `_conv-h2l_weight`. Stages are
/// counted from 2, blocks from 01; `_conv4` is the shortcut, `L3_Trans_conv` a DenseNet's transition, `tail` the last norm.
struct AuthorsNames {
  /// (124, 117, 104) taken away on the scale of bytes, and times 0.0167.
  static let normalization = Normalization(
    mean: [124, 117, 104].map { $0 / 255 }, std: Array(repeating: 1 / (0.0167 * 255), count: 3))

  /// The shorter side becomes 256 pixels, the middle 224 of them are kept.
  static let images = TrainingImages(cropRatio: 0.875, interpolation: "bicubic")

  private let isDense: Bool
  /// Whether any path of a low map is there: names follow.
  private let isOctave: Bool
  /// Blocks whose gates are of two maps.
  private let octaveGates: Set<String>

  /// `nil` for other names.
  init?(_ state: StateDictionary) {
    let names = state.map(\.name)
    guard names.contains(where: { Self.place(of: $0) != nil }) else { return nil }
    isDense = names.contains { $0.contains("_Trans_") }
    isOctave = names.contains { name in
      ["_conv-h2l_", "_conv-l2l_", "_conv-l2h_"].contains { name.contains($0) }
    }
    octaveGates = Set(
      names.filter { $0.hasSuffix("_se_fc2-h2l_weight") }.map {
        String($0.dropLast("_se_fc2-h2l_weight".count))
      })
  }

  /// Gates' parts are put together; names that are not known stay as they are, and will be told.
  func translated(_ state: StateDictionary) -> StateDictionary {
    let values = Dictionary(state.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    var result: StateDictionary = []
    for (name, value) in state {
      // The part of fc1 that reads the low map's means goes beside that of the high map's.
      if name.hasSuffix("_se_fc1-l2h_weight"), values[name.replacing("-l2h_", with: "-h2h_")] != nil {
        continue
      }
      if name.hasSuffix("_se_fc1-h2h_weight"), let own = translated(name) {
        let low = values[name.replacing("-h2h_", with: "-l2h_")]?.withoutPixels
        result.append((own, Self.beside(value.withoutPixels, low) ?? value))
        continue
      }
      let isMatrix = name == "classifier_weight" || (name.contains("_se_fc") && name.hasSuffix("_weight"))
      result.append((translated(name) ?? name, isMatrix ? value.withoutPixels : value))
    }
    return result
  }

  /// OctNet's name, `nil` for one that is not known.
  func translated(_ name: String) -> String? {
    switch name {
    case "classifier_weight", "classifier_bias":
      return (isDense ? "classifier." : "fc.") + name.dropFirst("classifier_".count)
    default: break
    }
    if let marker = name.range(of: "_se_fc") {
      return gate(String(name[..<marker.lowerBound]), name[marker.upperBound...])
    }
    guard let (unit, layer) = Self.unit(of: name) else { return nil }
    if unit == "tail" { return layer.norm.map { (isDense ? "features.norm5." : "bn.") + $0 } }
    if unit == "conv1" {
      let (conv, norm) = isDense ? ("features.conv0", "features.norm0") : ("conv1", "bn1")
      return layer.norm.map { "\(norm).\($0)" } ?? "\(conv).weight"
    }
    guard let place = Self.place(of: unit) else { return nil }
    return isDense ? denseLayer(place, layer) : residualLayer(place, layer)
  }

  // MARK: Parts of names

  private struct Place {
    var stage: Int
    /// `nil` in a transition.
    var block: Int?
    /// "conv1".
    var unit: Substring
  }

  /// The norm's array, or the convolution's path.
  private struct LayerPart {
    /// "weight" or "running_mean".
    var norm: String?
    /// "h" or "l" of the norm.
    var map = "h"
    var path = "h2h"
  }

  /// "L2_B01_conv1…", "L3_Trans_conv…".
  private static func place(of name: String) -> Place? {
    let parts = name.split(separator: "_", maxSplits: 2)
    guard parts.count == 3, parts[0].first == "L", let stage = Int(parts[0].dropFirst()),
      (2...9).contains(stage)
    else { return nil }
    if parts[1] == "Trans" { return Place(stage: stage - 1, block: nil, unit: parts[2]) }
    guard parts[1].first == "B", let block = Int(parts[1].dropFirst()), block > 0 else { return nil }
    return Place(stage: stage - 1, block: block, unit: parts[2])
  }

  private static func unit(of name: String) -> (unit: String, LayerPart)? {
    let arrays = [
      "_gamma": "weight", "_beta": "bias", "_moving_mean": "running_mean", "_moving_var": "running_var",
    ]
    for (suffix, array) in arrays where name.hasSuffix(suffix) {
      let rest = name.dropLast(suffix.count)
      for (mark, map) in [("_bn-h", "h"), ("_bn-l", "l"), ("_bn", "h")] where rest.hasSuffix(mark) {
        return (String(rest.dropLast(mark.count)), LayerPart(norm: array, map: map))
      }
      return nil
    }
    guard name.hasSuffix("_weight") else { return nil }
    let rest = name.dropLast("_weight".count)
    for path in ["h2h", "h2l", "l2l", "l2h"] where rest.hasSuffix("_conv-" + path) {
      return (String(rest.dropLast("_conv-h2h".count)), LayerPart(path: path))
    }
    return rest.hasSuffix("_conv") ? (String(rest.dropLast("_conv".count)), LayerPart()) : nil
  }

  // MARK: Layers

  private func name(_ convolution: String, _ norm: String, _ part: LayerPart) -> String {
    guard isOctave else { return part.norm.map { "\(norm).\($0)" } ?? "\(convolution).weight" }
    return part.norm.map { "\(convolution).bn_\(part.map).\($0)" }
      ?? "\(convolution).conv.conv_\(part.path).weight"
  }

  private func residualLayer(_ place: Place, _ part: LayerPart) -> String? {
    guard let block = place.block else { return nil }
    let base = "layer\(place.stage).\(block - 1)"
    switch place.unit {
    case "conv1", "conv2", "conv3":
      return name("\(base).\(place.unit)", "\(base).bn\(place.unit.dropFirst(4))", part)
    case "conv4": return name("\(base).downsample.0", "\(base).downsample.1", part)
    default: return nil
    }
  }

  private func denseLayer(_ place: Place, _ part: LayerPart) -> String? {
    guard let block = place.block else {
      let base = "features.transition\(place.stage - 1)"
      return place.unit == "conv" ? name("\(base).conv", "\(base).norm", part) : nil
    }
    let base = "features.denseblock\(place.stage).denselayer\(block)"
    guard place.unit == "conv1" || place.unit == "conv2" else { return nil }
    return name("\(base).\(place.unit)", "\(base).norm\(place.unit.dropFirst(4))", part)
  }

  /// `rest` is "1-h2h_weight" or "2-h2l_bias".
  private func gate(_ block: String, _ rest: Substring) -> String? {
    guard let place = Self.place(of: block + "_se"), let number = place.block else { return nil }
    let base = "layer\(place.stage).\(number - 1).se"
    let parts = rest.split(separator: "_")
    guard parts.count == 2, parts[1] == "weight" || parts[1] == "bias" else { return nil }
    switch parts[0] {
    case "1-h2h", "1": return "\(base).fc1.\(parts[1])"
    case "2-h2h", "2": return "\(base).\(octaveGates.contains(block) ? "fc2_h" : "fc2").\(parts[1])"
    case "2-h2l": return "\(base).fc2_l.\(parts[1])"
    default: return nil
    }
  }

  /// Two matrices of as many rows, one row beside the other.
  private static func beside(_ high: StateValue, _ low: StateValue?) -> StateValue? {
    guard let low else { return high }
    guard case .tensor(let a) = high, case .tensor(let b) = low, a.shape.count == 2, b.shape.count == 2,
      a.shape[0] == b.shape[0]
    else { return nil }
    var values: [Float] = []
    values.reserveCapacity(a.values.count + b.values.count)
    for row in 0..<a.shape[0] {
      values += a.values[row * a.shape[1]..<(row + 1) * a.shape[1]]
      values += b.values[row * b.shape[1]..<(row + 1) * b.shape[1]]
    }
    return .tensor(Tensor(shape: [a.shape[0], a.shape[1] + b.shape[1]], values: values))
  }
}
