import OctNetCore
import OctNetSupport

/// Parameters with settings of their own, as the groups of `torch.optim`. The first group that names a parameter is its own.
///
/// As JSON: `{"modules": ["fc"], "learningRateScale": 10, "weightDecay": 0}`.
public struct ParameterGroup: Codable, Equatable, Sendable {
  /// Names of parameters or of what is above them: `conv1`, `layer1.0`, `fc.bias`.
  public var modules: [String]
  /// Multiplies the learning rate.
  public var learningRateScale: Double
  /// In place of the optimizer's; `nil` keeps that.
  public var weightDecay: Float?

  /// Names of parameters or of what is above them, and their settings.
  public init(_ modules: String..., learningRateScale: Double = 1, weightDecay: Float? = nil) {
    self.modules = modules
    self.learningRateScale = learningRateScale
    self.weightDecay = weightDecay
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    modules = try container.decode([String].self, forKey: .modules)
    learningRateScale = try container.decodeIfPresent(Double.self, forKey: .learningRateScale) ?? 1
    weightDecay = try container.decodeIfPresent(Float.self, forKey: .weightDecay)
  }

  func validate() throws(OctNetError) {
    guard learningRateScale >= 0, learningRateScale.isFinite else {
      throw .configuration(
        key: "learningRateScale", "expected a factor of 0 or more, found \(learningRateScale)")
    }
    guard weightDecay.map({ $0 >= 0 && $0.isFinite }) ?? true else {
      throw .configuration(key: "weightDecay", "expected 0 or more, found \(weightDecay ?? 0)")
    }
    guard !modules.isEmpty else {
      throw .configuration(key: "modules", "a group of parameters names at least one, found none")
    }
  }

  func contains(_ name: String) -> Bool { modules.contains { Network.names($0, name) } }
}
