import OctNetCore
import OctNetSupport

/// Names of public weight files, where they are others than OctNet's, which are torchvision's and d-li14's.
enum PublicNames {
  /// A state dictionary under OctNet's names, and whose names they were.
  struct Translation {
    var state: StateDictionary
    var owner: String
    /// Of the pixels that these networks were trained on, where the owner has one way only.
    var normalization: Normalization?
    /// How photographs came to their size, alike.
    var images = TrainingImages()
  }

  /// `nil` where no name is known to be somebody's own.
  static func translation(of state: StateDictionary) -> Translation? {
    if let authors = AuthorsNames(state) {
      return Translation(
        state: authors.translated(state), owner: "the octave paper's authors",
        normalization: AuthorsNames.normalization, images: AuthorsNames.images)
    }
    var changed = 0
    let renamed = state.map { name, value -> (name: String, value: StateValue) in
      let own = dense(name) ?? name
      let fitted = squeeze(own, value)
      if own != name || fitted.shape != value.shape { changed += 1 }
      return (own, fitted)
    }
    if changed > 0 { return Translation(state: renamed, owner: "torchvision's early DenseNets or timm") }
    if let mobile = TimmMobileNet(state) {
      return Translation(state: mobile.translated(state), owner: "timm")
    }
    return nil
  }

  /// torchvision's files of DenseNets have `denselayer1.norm.1.weight`, its networks `denselayer1.norm1.weight`.
  private static func dense(_ name: String) -> String? {
    guard let layer = name.range(of: ".denselayer") else { return nil }
    let parts = name[layer.upperBound...].split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4, ["norm", "conv"].contains(parts[1]), ["1", "2"].contains(parts[2]) else {
      return nil
    }
    return name[..<layer.upperBound] + "\(parts[0]).\(parts[1])\(parts[2]).\(parts[3])"
  }

  /// timm's squeeze and excitation are 1×1 convolutions.
  private static func squeeze(_ name: String, _ value: StateValue) -> StateValue {
    guard name.hasSuffix(".se.fc1.weight") || name.hasSuffix(".se.fc2.weight") else { return value }
    return value.withoutPixels
  }
}

extension StateValue {
  /// The matrix of a 1×1 convolution; anything else as it is.
  var withoutPixels: StateValue {
    guard case .tensor(let tensor) = self, tensor.shape.count == 4, tensor.shape[2...] == [1, 1] else {
      return self
    }
    return .tensor(Tensor(shape: Array(tensor.shape[..<2]), values: tensor.values))
  }
}

/// The MobileNet v2 of timm (`mobilenetv2_100`): `conv_stem`, `blocks.2.1.conv_pw`, `conv_head`.
struct TimmMobileNet {
  /// Number of the first block of each stage in torchvision's, where the stem is 0.
  private var firstBlocks: [Int] = []
  private var head = 0

  /// `nil` for other names.
  init?(_ state: StateDictionary) {
    let names = Set(state.map(\.name))
    guard names.contains("conv_stem.weight"), names.contains("blocks.0.0.conv_dw.weight"),
      names.contains("blocks.1.0.conv_pwl.weight")
    else { return nil }
    var next = 1
    for stage in 0..<32 where names.contains("blocks.\(stage).0.conv_dw.weight") {
      firstBlocks.append(next)
      guard firstBlocks.count == stage + 1 else { return nil }
      while names.contains("blocks.\(stage).\(next - firstBlocks[stage]).conv_dw.weight") { next += 1 }
    }
    head = next
  }

  func translated(_ state: StateDictionary) -> StateDictionary {
    state.map { (translated($0.name) ?? $0.name, $0.value) }
  }

  func translated(_ name: String) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    if parts.count == 2 {
      let layers = [
        "conv_stem": "features.0.0", "bn1": "features.0.1", "conv_head": "features.\(head).0",
        "bn2": "features.\(head).1", "classifier": "classifier.1",
      ]
      return layers[parts[0]].map { "\($0).\(parts[1])" }
    }
    guard parts.count == 5, parts[0] == "blocks", let stage = Int(parts[1]), let index = Int(parts[2]),
      firstBlocks.indices.contains(stage), index >= 0
    else { return nil }
    // The first stage's block has no expansion.
    let layers =
      stage == 0
      ? ["conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"]
      : [
        "conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3",
      ]
    return layers[parts[3]].map { "features.\(firstBlocks[stage] + index).conv.\($0).\(parts[4])" }
  }
}
