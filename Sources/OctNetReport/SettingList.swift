import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport
import OctNetTraining

/// A configuration as a list of dotted names and texts, whatever keys it has: `model.alpha` = `0.125`. What
/// is spelled out but would be so anyway is left out, so that equal settings are equal lists.
struct SettingList: Equatable, Sendable {
  private(set) var values: [String: String] = [:]

  /// - Throws: `OctNetError.file` for a setting that JSON cannot hold.
  init(_ configuration: TrainingConfiguration, path: String) throws(OctNetError) {
    do throws(StrictJSON.Failure) {
      let text = try StrictJSON.encode(configuration.leavingOutDefaults)
      guard let parsed = Array(text.utf8).withUnsafeBufferPointer({ try? JSONScanner.parse($0) }) else {
        throw StrictJSON.Failure(problem: "expected settings, found \(text)")
      }
      add(parsed, name: "")
    } catch { throw OctNetError.file(path: path, error.problem) }
  }

  /// Sorted.
  var names: [String] { values.keys.sorted() }

  subscript(name: String) -> String? { values[name] }

  func without(_ names: Set<String>) -> SettingList {
    var copy = self
    for name in names { copy.values[name] = nil }
    return copy
  }

  mutating func set(_ name: String, to value: String) { values[name] = value }

  private mutating func add(_ value: JSONValue, name: String) {
    if case .object(let members) = value {
      for (key, member) in members { add(member, name: name.isEmpty ? key : "\(name).\(key)") }
    } else {
      values[name] = Self.text(value)
    }
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .array(let elements): return elements.map(text).joined(separator: " ")
    case .object(let members): return members.map { "\($0.key) \(text($0.value))" }.joined(separator: ", ")
    case .string(let text), .number(let text): return text
    case .bool(let flag): return flag ? "yes" : "no"
    case .null: return "–"
    }
  }
}

extension TrainingConfiguration {
  /// The same with `nil` for values that `nil` stands for.
  fileprivate var leavingOutDefaults: TrainingConfiguration {
    var result = self
    func leaveOut<Value: Equatable>(_ key: WritableKeyPath<TrainingConfiguration, Value?>, _ usual: Value) {
      if result[keyPath: key] == usual { result[keyPath: key] = nil }
    }
    leaveOut(\.shards, 1)
    leaveOut(\.reduceDtype, .float32)
    leaveOut(\.mixupProbability, 1)
    leaveOut(\.mixupSwitchProbability, 0.5)
    leaveOut(\.balancedSampler, false)
    leaveOut(\.exifOrientation, false)
    leaveOut(\.lossReduction, .mean)
    leaveOut(\.lastEpochShare, 1)
    leaveOut(\.testViews, .one)
    leaveOut(\.augmentation.repeats, 1)
    leaveOut(\.augmentation.flipsAlternately, false)
    leaveOut(\.augmentation.reflectsBorder, false)
    if var model {
      if model.widthMultiplier == 1 { model.widthMultiplier = nil }
      if model.keepsMerging == false { model.keepsMerging = nil }
      result.model = model
    }
    return result
  }
}
