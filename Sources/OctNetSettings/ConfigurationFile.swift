import OctNet

/// Settings of a run in YAML or JSON: some or all of the keys of `config.json`, and `recipe`.
///
/// Some things may be said shortly: `optimizer: adam` for `optimizer: {name: adam}`, `model` and the schedule's `shape`
/// alike, and `imageSize: 128:0-10,160:10-16` for `imageSizes`.
package struct ConfigurationFile {
  private let path: String
  private var settings: JSONValue

  /// - Throws: `OctNetError.file` with line and column for what is neither JSON nor YAML.
  package init(path: String) throws {
    self.path = path
    let bytes = try FileReader.bytes(of: path, limit: FileLimit.settings)
    if let json = JSONValue(json: bytes) {
      settings = json
    } else {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw OctNetError.file(path: path, "expected text in UTF-8")
      }
      do throws(YAMLSettings.Failure) {
        settings = try YAMLSettings.parse(text)
      } catch { throw OctNetError.file(path: path, error.problem) }
    }
    // An empty file, or one of comments.
    if settings == .null { settings = .object([]) }
    guard case .object = settings else {
      throw OctNetError.file(path: path, "expected a mapping of keys to values, found \(settings.kind)")
    }
    for key in ["optimizer", "model"] { settings[key] = Self.named(settings[key]) }
    if var schedule = settings["schedule"] {
      schedule["shape"] = Self.named(schedule["shape"])
      settings["schedule"] = schedule
    }
  }

  /// A word alone is a name.
  private static func named(_ value: JSONValue?) -> JSONValue? {
    guard let value, value.text != nil else { return value }
    return .object([("name", value)])
  }

  /// - Throws: `OctNetError.file` where the key has another kind of value.
  package func string(_ key: String) throws -> String? {
    guard let value = settings[key], value != .null else { return nil }
    guard let text = value.text else {
      throw OctNetError.file(path: path, "\(key): expected a word, found \(value.kind)")
    }
    return text
  }

  /// Whether the file says it.
  package func has(_ key: String) -> Bool { settings[key] != nil }

  /// What flags that say something else leave as the file has it.
  package var stated: StatedSettings {
    func says(_ key: String, of part: String) -> Bool { (settings[part]?[key] ?? .null) != .null }
    return StatedSettings(
      alpha: says("alpha", of: "model"), stem: says("stem", of: "model"),
      downsampling: says("downsampling", of: "model"),
      learningRate: says("base", of: "schedule"))
  }

  /// - Throws: as `string`.
  package func number(_ key: String) throws -> Int? {
    guard let value = settings[key], value != .null else { return nil }
    guard let number = value.number.flatMap({ Int(exactly: $0) }) else {
      throw OctNetError.file(path: path, "\(key): expected a whole number, found \(value.kind)")
    }
    return number
  }

  /// - Throws: as `string`.
  package func flag(_ key: String) throws -> Bool? {
    guard let value = settings[key], value != .null else { return nil }
    guard case .bool(let flag) = value else {
      throw OctNetError.file(path: path, "\(key): expected true or false, found \(value.kind)")
    }
    return flag
  }

  /// How images in folders come to their size.
  /// - Throws: `OctNetError.file` for a value of the wrong kind.
  package func evaluation() throws -> EvaluationSettings? {
    guard let value = settings["evaluation"], value != .null else { return nil }
    return try EvaluationSettings(settings: value, path: path)
  }

  /// The input's height in the file's model.
  /// - Throws: `OctNetError.file` for a number out of bounds.
  package func imageSize() throws -> Int? {
    guard let number = settings["model"]?["inputHeight"]?.number else { return nil }
    guard let size = Int(exactly: number), SettingBounds.imageSize.contains(size) else {
      throw OctNetError.file(
        path: path,
        "model.inputHeight: expected \(SettingBounds.imageSize.lowerBound) to \(SettingBounds.imageSize.upperBound), found \(settings["model"]?["inputHeight"]?.kind ?? "")"
      )
    }
    return size
  }

  /// Sizes from epoch to epoch, or one for all; `nil` where the file says neither.
  /// - Throws: `OctNetError.file` for what is no size and no plan.
  package func imageSizes() throws -> ImageSizePlan? {
    if let value = settings["imageSize"], value != .null {
      guard let text = value.text ?? value.number.flatMap({ Int(exactly: $0) }).map(String.init) else {
        throw OctNetError.file(
          path: path, "imageSize: expected a size or sizes with epochs, found \(value.kind)")
      }
      do throws(OctNetError) {
        return try ImageSizePlan(text)
      } catch {
        guard case .configuration(_, let problem) = error else { throw error }
        throw OctNetError.file(path: path, "imageSize: \(problem)")
      }
    }
    guard let value = settings["imageSizes"], value != .null else { return nil }
    return ImageSizePlan(stages: try [ImageSizeStage](settings: value, path: path))
  }

  /// `base` with the file's settings written over it.
  ///
  /// What follows from another setting follows it here too where that changes, unless the file says it: the stem
  /// from the model's name (which forgets another network's width multiplier), the downsampling from α, the learning
  /// rate's default from the optimizer.
  /// - Throws: `OctNetError.file` for an unknown key or a value of the wrong kind.
  package func applied(to base: TrainingConfiguration) throws -> TrainingConfiguration {
    var base = base
    var settings = settings
    settings["recipe"] = nil
    settings["imageSize"] = nil
    if let optimizer = settings["optimizer"]?["name"]?.text.flatMap(OptimizerName.init) {
      base.use(optimizer)
    }
    if let model = settings["model"], let own = base.model {
      base.model = own.changing(name: model["name"]?.text, alpha: model["alpha"]?.number)
    }
    return try TrainingConfiguration(settings: settings.merged(over: base.settings()), path: path)
  }

  /// - Parameter sizeIsGiven: whether a flag says the images' size, whatever the file does.
  /// - Throws: `OctNetError.configuration` where the file speaks of other images than the data set has.
  package func check(fits split: DataSplit, named source: String, sizeIsGiven: Bool) throws {
    for (key, found) in [
      ("classes", split.train.classNames.count), ("inputHeight", split.test.height),
      ("inputWidth", split.test.width), ("inputChannels", split.train.channels),
    ] {
      if sizeIsGiven && ["inputHeight", "inputWidth"].contains(key) { continue }
      guard let given = settings["model"]?[key], let number = given.number, number != Double(found) else {
        continue
      }
      throw OctNetError.configuration(
        key: "model.\(key)", "\(path) says \(given.kind), the data set \(source) has \(found)")
    }
  }
}

/// Settings that follow from others unless somebody says them, and a file does.
package struct StatedSettings: Equatable, Sendable {
  /// The model's α.
  package var alpha: Bool
  /// The stem, else that of the model's name.
  package var stem: Bool
  /// What makes maps smaller, else as α has it.
  package var downsampling: Bool
  /// The schedule's base, else the optimizer's usual one.
  package var learningRate: Bool

  package init(
    alpha: Bool = false, stem: Bool = false, downsampling: Bool = false, learningRate: Bool = false
  ) {
    (self.alpha, self.stem) = (alpha, stem)
    (self.downsampling, self.learningRate) = (downsampling, learningRate)
  }
}

extension ModelConfiguration {
  /// Another name, another α: stem and width multiplier follow the one, the downsampling the other. What is `stated`
  /// stays, a stem as far as the other model can have it; the name and the α that are there already change nothing.
  package func changing(
    name newName: String?, alpha newAlpha: Double?, keeping stated: StatedSettings = StatedSettings()
  ) -> ModelConfiguration {
    var result = self
    if let newName, newName != name {
      let known = NamedModel.named(newName)
      (result.name, result.widthMultiplier) = (newName, nil)
      if !stated.stem || known?.stems.contains(stem) == false { result.stem = known?.usualStem ?? .imagenet }
    }
    if let newAlpha, newAlpha != alpha {
      result.alpha = newAlpha
      if !stated.downsampling { result.downsampling = .usual(alpha: newAlpha) }
    }
    return result
  }
}
