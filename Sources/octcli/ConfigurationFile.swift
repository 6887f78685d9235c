import Foundation
import OctNet
import Yams

/// Settings of a run in YAML, of which JSON is a part: some or all of the keys of `config.json`, and `recipe`.
///
/// Two things may be said shortly: `optimizer: adam` for `optimizer: {name: adam}`, and the schedule's `shape` alike.
struct ConfigurationFile {
  private let path: String
  private let settings: [String: Any]

  /// - Throws: `OctNetError.file` with line and column for what is not YAML.
  init(path: String) throws {
    self.path = path
    let bytes = try FileReader.bytes(of: path, limit: FileLimit.settings)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw OctNetError.file(path: path, "expected text in UTF-8")
    }
    let value: Any
    do {
      value = try Yams.load(yaml: text) ?? [String: Any]()
    } catch let error as YamlError {
      throw OctNetError.file(path: path, Self.describe(error))
    }
    guard let settings = Self.plain(value) as? [String: Any] else {
      throw OctNetError.file(path: path, "expected a mapping of keys to values, found \(value)")
    }
    guard JSONSerialization.isValidJSONObject(settings) else {
      throw OctNetError.file(path: path, "expected keys that are words, and finite numbers, words and lists")
    }
    self.settings = settings
  }

  /// - Throws: `OctNetError.file` where the key has another kind of value.
  func string(_ key: String) throws -> String? {
    guard let value = settings[key] else { return nil }
    guard let text = value as? String else {
      throw OctNetError.file(path: path, "\(key): expected a word, found \(value)")
    }
    return text
  }

  /// The input's height in the file's model.
  var imageSize: Int? { ((settings["model"] as? [String: Any])?["inputHeight"] as? NSNumber)?.intValue }

  /// `base` with the file's settings written over it.
  ///
  /// What follows from another setting follows it here too, unless the file says it: the stem from the model's name,
  /// the downsampling from α, the learning rate's default from the optimizer.
  /// - Throws: `OctNetError.file` for an unknown key or a value of the wrong kind.
  func applied(to base: TrainingConfiguration) throws -> TrainingConfiguration {
    var base = base
    var settings = settings
    settings["recipe"] = nil
    if let name = settings["optimizer"] as? String { settings["optimizer"] = ["name": name] }
    if let name = (settings["optimizer"] as? [String: Any])?["name"] as? String,
      let optimizer = OptimizerName(rawValue: name)
    {
      base.use(optimizer)
    }
    if var schedule = settings["schedule"] as? [String: Any], let shape = schedule["shape"] as? String {
      schedule["shape"] = ["name": shape]
      settings["schedule"] = schedule
    }
    if let model = settings["model"] as? [String: Any], let own = base.model {
      let name = model["name"] as? String
      base.model = own.changing(name: name, alpha: (model["alpha"] as? NSNumber)?.doubleValue)
    }
    let data = try JSONEncoder().encode(base)
    let known = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    let merged = try JSONSerialization.data(withJSONObject: Self.merge(settings, over: known))
    return try TrainingConfiguration(json: Array(merged), path: path)
  }

  /// - Throws: `OctNetError.configuration` where the file speaks of other images than the data set has.
  func check(fits split: DataSplit, named source: String) throws {
    guard let model = settings["model"] as? [String: Any] else { return }
    for (key, found) in [
      ("classes", split.train.classNames.count), ("inputHeight", split.train.height),
      ("inputWidth", split.train.width), ("inputChannels", split.train.channels),
    ] {
      guard let given = model[key] as? NSNumber, given.intValue != found else { continue }
      throw OctNetError.configuration(
        key: "model.\(key)", "\(path) says \(given), the data set \(source) has \(found)")
    }
  }

  /// Mappings key by key, everything else as a whole; so too a mapping that names another kind of thing.
  private static func merge(_ new: [String: Any], over old: [String: Any]) -> [String: Any] {
    old.merging(new) { old, new in
      guard let old = old as? [String: Any], let new = new as? [String: Any] else { return new }
      if let name = new["name"] as? String, let before = old["name"] as? String, name != before { return new }
      return merge(new, over: old)
    }
  }

  /// Mappings with keys that are words, as JSON has them.
  private static func plain(_ value: Any) -> Any {
    if let mapping = value as? [AnyHashable: Any] {
      var result: [String: Any] = [:]
      for (key, value) in mapping { result["\(key.base)"] = plain(value) }
      return result
    }
    if let list = value as? [Any] { return list.map(plain) }
    return value
  }

  /// One line.
  private static func describe(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return "line \(mark.line), column \(mark.column): \(problem)"
    case .duplicatedKeysInMapping(let duplicates, let context):
      return "line \(context.mark.line): the key \(duplicates.joined(separator: ", ")) is there twice"
    case .reader(let problem, _, _, _): return problem
    default: return "\(error)".split(separator: "\n").joined(separator: " ")
    }
  }
}

extension ModelConfiguration {
  /// Another name, another α: the stem follows the one, the downsampling the other.
  func changing(name newName: String?, alpha newAlpha: Double?) -> ModelConfiguration {
    ModelConfiguration(
      name: newName ?? name, alpha: newAlpha ?? alpha, stem: newName == nil ? stem : nil, variant: variant,
      downsampling: newAlpha == nil ? downsampling : nil, lowToHigh: lowToHigh, highToLow: highToLow,
      classes: classes, inputHeight: inputHeight, inputWidth: inputWidth, inputChannels: inputChannels)
  }
}
