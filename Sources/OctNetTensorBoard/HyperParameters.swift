import Foundation
import OctNet
import OctNetSupport

/// A run's settings in the form that TensorBoard's HPARAMS plugin lists, filters and sorts runs by.
enum HyperParameters {
  /// Dotted names as in reports: `model.alpha`, `optimizer.name`. Lists are one text.
  static func values(of configuration: TrainingConfiguration) throws -> [String: Tensorboard_Hparams_Value] {
    let text = try StrictJSON.encode(configuration)
    let parsed = try Array(text.utf8).withUnsafeBufferPointer { try JSONScanner.parse($0) }
    var values: [String: Tensorboard_Hparams_Value] = [:]
    add(parsed, name: "", to: &values)
    return values
  }

  private static func add(
    _ value: JSONValue, name: String, to values: inout [String: Tensorboard_Hparams_Value]
  ) {
    if case .object(let members) = value {
      for (key, member) in members { add(member, name: name.isEmpty ? key : "\(name).\(key)", to: &values) }
      return
    }
    values[name] = .with {
      switch value {
      case .bool(let flag): $0.boolValue = flag
      case .number(let digits): $0.numberValue = Double(digits) ?? .nan
      default: $0.stringValue = text(value)
      }
    }
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .array(let elements): elements.map(text).joined(separator: " ")
    case .object(let members): members.map { "\($0.key) \(text($0.value))" }.joined(separator: ", ")
    case .string(let text), .number(let text): text
    case .bool(let flag): flag ? "yes" : "no"
    case .null: "none"
    }
  }
}

extension Tensorboard_Event {
  /// A run with these settings begins.
  static func sessionSettings(_ values: [String: Tensorboard_Hparams_Value], step: Int) throws -> Self {
    try hyperParameters(
      "session_start_info",
      .with {
        $0.sessionStartInfo.hparams = values
        $0.sessionStartInfo.startTimeSecs = Date().timeIntervalSince1970
      }, step: step)
  }

  /// It has all its epochs.
  static func sessionSuccess(step: Int) throws -> Self {
    try hyperParameters(
      "session_end_info",
      .with {
        $0.sessionEndInfo.status = .success
        $0.sessionEndInfo.endTimeSecs = Date().timeIntervalSince1970
      }, step: step)
  }

  private static func hyperParameters(
    _ tag: String, _ data: Tensorboard_Hparams_HParamsPluginData, step: Int
  ) throws -> Self {
    let content = try data.serializedData()
    return .with {
      $0.step = Int64(step)
      $0.summary.value = [
        .with {
          $0.tag = "_hparams_/" + tag
          $0.metadata.pluginData.pluginName = "hparams"
          $0.metadata.pluginData.content = content
        }
      ]
    }
  }
}
