import OctNetSupport

/// Where images come from, as given on a command line.
public enum DataSource: Equatable, Sendable {
  /// Generated; `frequencies` other than `.all` show what a network can tell without the rest.
  case synthetic(SyntheticImages.Frequencies)
  /// Six files in the binary version.
  case cifar10(directory: String)
  /// Two files in the binary version; `coarse` takes the twenty superclasses.
  case cifar100(directory: String, coarse: Bool)
  /// Four files of MNIST's format.
  case idx(directory: String)
  /// What `octcli prepare` wrote.
  case prepared(file: String)

  /// The forms that `parse` takes.
  public static let syntax =
    "synthetic, cifar10:DIR, cifar100:DIR, cifar100-coarse:DIR, idx:DIR or prepared:FILE"

  /// Reads `synthetic`, `synthetic:low`, `synthetic:high`, `cifar10:DIR`, `cifar100:DIR` (100 classes),
  /// `cifar100-coarse:DIR` (20), `idx:DIR` or `prepared:FILE`. Nothing is opened before `load`.
  ///
  /// DIR holds the files of the published archive; for CIFAR it may also be the folder around them, for IDX see `IDXFiles`.
  /// A leading `~` is the home directory.
  /// - Throws: `OctNetError.configuration` for key `data`.
  public static func parse(_ text: String) throws(OctNetError) -> DataSource {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let argument = parts.count == 2 ? parts[1] : nil
    if parts[0] == "synthetic" {
      guard let argument else { return .synthetic(.all) }
      guard let frequencies = SyntheticImages.Frequencies(rawValue: argument), frequencies != .all else {
        throw OctNetError.configuration(
          key: "data", "found '\(text)', expected synthetic, synthetic:low or synthetic:high")
      }
      return .synthetic(frequencies)
    }

    guard ["cifar10", "cifar100", "cifar100-coarse", "idx", "prepared"].contains(parts[0]) else {
      throw OctNetError.configuration(key: "data", "unknown data set '\(text)', expected \(syntax)")
    }
    guard let argument, !argument.isEmpty else {
      let (kind, form) = parts[0] == "prepared" ? ("file", "FILE") : ("directory", "DIR")
      throw OctNetError.configuration(
        key: "data", "'\(text)' names no \(kind), expected \(parts[0]):\(form)")
    }
    switch parts[0] {
    case "cifar10": return .cifar10(directory: argument)
    case "idx": return .idx(directory: argument)
    case "prepared": return .prepared(file: argument)
    default: return .cifar100(directory: argument, coarse: parts[0] == "cifar100-coarse")
    }
  }

  /// Reads or generates all images.
  /// - Throws: `OctNetError.file` that names the file, what is wrong and where.
  public func load() throws(OctNetError) -> DataSplit {
    switch self {
    case .synthetic(let frequencies): return SyntheticImages().split(frequencies: frequencies)
    case .cifar10(let directory):
      return try CIFAR.load(directory: HomeDirectory.expand(directory), labels: .cifar10)
    case .cifar100(let directory, let coarse):
      return try CIFAR.load(
        directory: HomeDirectory.expand(directory), labels: coarse ? .cifar100Coarse : .cifar100Fine)
    case .idx(let directory): return try IDX.load(directory: HomeDirectory.expand(directory))
    case .prepared(let file): return try PreparedFile(path: HomeDirectory.expand(file)).data
    }
  }
}

extension DataSource: CustomStringConvertible {
  /// What `parse` reads back.
  public var description: String {
    switch self {
    case .synthetic(.all): "synthetic"
    case .synthetic(let frequencies): "synthetic:\(frequencies.rawValue)"
    case .cifar10(let directory): "cifar10:\(directory)"
    case .cifar100(let directory, let coarse): "\(coarse ? "cifar100-coarse" : "cifar100"):\(directory)"
    case .idx(let directory): "idx:\(directory)"
    case .prepared(let file): "prepared:\(file)"
    }
  }
}
