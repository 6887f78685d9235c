import OctNetSupport

/// Names for the classes of a data set in MNIST's format, which has only numbers.
enum IDXClassNames {
  /// A file beside the others with a name on each line, the first for label 0.
  static let file = "class_names.txt"

  /// Those of a file beside the data, `nil` without one.
  /// - Throws: `OctNetError.file` for a file that does not name every class.
  static func names(count: Int, in directory: String) throws(OctNetError) -> [String]? {
    let path = "\(directory)/\(file)"
    guard FileReader.exists(path) else { return nil }
    guard let text = String(validating: try FileReader.bytes(of: path, limit: FileLimit.names), as: UTF8.self)
    else {
      throw OctNetError.file(path: path, "expected text in UTF-8")
    }
    let names = text.split(whereSeparator: \.isNewline).map(String.init)
    guard names.count >= count else {
      throw OctNetError.file(
        path: path,
        "found \(numbered(names.count, "class name")), expected \(count): one on each line, the first for label 0"
      )
    }
    return names
  }

  /// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), told by the bytes of its `train-labels-idx1-ubyte` behind the header.
  static func published(_ labels: [UInt8]) -> [String]? {
    labels.count == 60_000 && FNV1a.hash(labels) == fashionHash ? fashionNames : nil
  }

  static let fashionHash: UInt64 = 0xb9f7_1c71_bae5_f277
  static let fashionNames = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ]
}
