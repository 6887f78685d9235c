import OctNetData
import OctNetSupport

extension EvaluationSettings {
  /// - Throws: `OctNetError.file` as for the whole settings.
  package init(settings: JSONValue, path: String) throws(OctNetError) {
    do throws(StrictJSON.Failure) {
      self = try StrictJSON.decode(EvaluationSettings.self, from: settings)
    } catch { throw OctNetError.file(path: path, "evaluation: \(error.problem)") }
  }
}

extension [ImageSizeStage] {
  /// - Throws: `OctNetError.file` as for the whole settings, and for sizes that no run can have.
  package init(settings: JSONValue, path: String) throws(OctNetError) {
    do throws(StrictJSON.Failure) {
      self = try StrictJSON.decode([ImageSizeStage].self, from: settings)
    } catch { throw OctNetError.file(path: path, "imageSizes: \(error.problem)") }
    guard allSatisfy({ SettingBounds.imageSize.contains($0.size) }), !isEmpty else {
      throw OctNetError.file(
        path: path,
        "imageSizes: expected sizes of \(SettingBounds.imageSize.lowerBound) to "
          + "\(SettingBounds.imageSize.upperBound)")
    }
  }
}

extension TrainingConfiguration {
  /// As `config.json` has it.
  package func settings() throws(OctNetError) -> JSONValue {
    guard let text = try? StrictJSON.encode(self), let value = JSONValue(json: Array(text.utf8)) else {
      throw OctNetError.configuration(key: "settings", "cannot be written as JSON")
    }
    return value
  }

  /// - Throws: `OctNetError.file` for a missing, unknown or mistyped key in settings that are `path`'s.
  package init(settings: JSONValue, path: String) throws(OctNetError) {
    do throws(StrictJSON.Failure) {
      self = try StrictJSON.decode(TrainingConfiguration.self, from: settings)
    } catch { throw OctNetError.file(path: path, error.problem) }
  }
}
