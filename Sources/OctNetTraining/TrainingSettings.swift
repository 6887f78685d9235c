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
