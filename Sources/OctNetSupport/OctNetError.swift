/// Everything that can be wrong with data from outside the program: files, configurations, networks.
///
/// Programmer mistakes (an index out of range) are preconditions instead. The description is one line that names
/// the place, what was found and what was expected.
public enum OctNetError: Error, Equatable, Sendable {
  /// A file or directory: missing, truncated, malformed, not writable.
  case file(path: String, String)
  /// A layer whose input does not fit; `layer` is the dotted path of the layer.
  case graph(layer: String, String)
  /// A setting that is out of range or does not fit the others; `key` names it.
  case configuration(key: String, String)
  /// A state dictionary that does not fit the network: every key at once, and the reason where it can be told.
  case stateDictionary(StateMismatch)
  /// Training cannot go on, such as a loss that is not a number.
  case training(String)
}

extension OctNetError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let path, let problem): return "\(path): \(problem)"
    case .graph(let layer, let problem): return "\(layer.isEmpty ? "network" : layer): \(problem)"
    case .configuration(let key, let problem): return "\(key): \(problem)"
    case .stateDictionary(let mismatch): return mismatch.description
    case .training(let problem): return problem
    }
  }
}
