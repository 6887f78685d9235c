import OctNetCore
import OctNetSupport

/// A network that `ModelConfiguration` knows by name, and what may be said of it.
///
/// A family is a file with the layers of its networks and the list of their names; `all` has a line for each family.
public struct NamedModel: Sendable {
  /// What `--model` and `config.json` call it.
  public let name: String
  /// The stem it has unless another one is asked for.
  public let usualStem: Stem
  /// All stems it can have.
  public let stems: [Stem]
  /// Which α its convolutions can be divided by.
  public let alphas: Alphas
  /// Whether `ModelConfiguration.widthMultiplier` is for it.
  public let takesWidthMultiplier: Bool
  /// The network of a configuration, from an image to logits.
  package let build: @Sendable (ModelConfiguration) throws -> any Layer

  /// The ratios at which a network can be built.
  public enum Alphas: Equatable, Sendable, CustomStringConvertible {
    /// Every ratio.
    case all
    /// 0, 1 / parts, 2 / parts, … 1: groups divide the low maps at no other.
    case parts(Int)

    /// "0 … 1", or the ratios themselves.
    public var description: String {
      switch self {
      case .all: return "0 … 1"
      case .parts(let parts):
        return (0...parts).map { format(Double($0) / Double(parts), digits: 6) }.joined(separator: ", ")
      }
    }

    /// Whether a network of this ratio can be built.
    public func contains(_ alpha: Double) -> Bool {
      guard (0...1).contains(alpha) else { return false }
      guard case .parts(let parts) = self else { return true }
      return alpha * Double(parts) == (alpha * Double(parts)).rounded()
    }
  }

  package init(
    _ name: String, usualStem: Stem = .imagenet, stems: [Stem] = [.imagenet, .cifar], alphas: Alphas = .all,
    takesWidthMultiplier: Bool = false, build: @escaping @Sendable (ModelConfiguration) throws -> any Layer
  ) {
    self.name = name
    self.usualStem = usualStem
    self.stems = stems
    self.alphas = alphas
    self.takesWidthMultiplier = takesWidthMultiplier
    self.build = build
  }

  /// One line a family.
  public static let all: [NamedModel] = [
    ResNet.models, PreActivationResNet.models, DenseNet.models, MobileNetV1.models, MobileNetV2.models,
    Airbench.models,
  ].flatMap { $0 }

  /// `nil` for a name that is not in the table.
  public static func named(_ name: String) -> NamedModel? { all.first { $0.name == name } }

  /// - Throws: `OctNetError.configuration` for what is not for this network.
  func check(_ configuration: ModelConfiguration) throws(OctNetError) {
    guard (0...1).contains(configuration.alpha) else {
      throw OctNetError.configuration(
        key: "alpha", "found \(configuration.alpha), expected a ratio from 0 to 1")
    }
    guard stems.contains(configuration.stem) else {
      throw OctNetError.configuration(
        key: "stem",
        "found \(configuration.stem), expected one of \(stems.map(\.rawValue).joined(separator: ", ")) for \(name)"
      )
    }
    guard !configuration.lowToHigh || configuration.keepsMerging != true else {
      throw OctNetError.configuration(
        key: "keepsMerging", "found true, expected it only where lowToHigh is false")
    }
    guard let multiplier = configuration.widthMultiplier else { return }
    guard takesWidthMultiplier || multiplier == 1 else {
      let names = Self.all.filter(\.takesWidthMultiplier).map(\.name)
      throw OctNetError.configuration(
        key: "widthMultiplier",
        "found \(multiplier), but the width of \(name) is fixed"
          + (names.isEmpty ? "" : "; it is for \(names.joined(separator: ", "))"))
    }
    guard SettingBounds.widthMultiplier.contains(multiplier) else {
      throw OctNetError.configuration(
        key: "widthMultiplier",
        "found \(multiplier), expected \(SettingBounds.widthMultiplier.lowerBound) to \(SettingBounds.widthMultiplier.upperBound)"
      )
    }
  }
}

extension OctNetError {
  static func unknownModel(_ name: String, expected names: [String]) -> OctNetError {
    .configuration(key: "model", "found \"\(name)\", expected one of \(names.joined(separator: ", "))")
  }
}
