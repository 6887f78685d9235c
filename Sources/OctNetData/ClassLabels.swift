import OctNetSupport

extension ClassLabels {
  /// Those of a data set's training images.
  public init(_ training: any Dataset) {
    self.init(names: training.classNames, fingerprint: Self.fingerprint(of: training))
  }

  /// FNV-1a (64 bits) of every label as four bytes, the lowest first, in hexadecimal.
  static func fingerprint(of dataset: any Dataset) -> String {
    var hash = FNV1a()
    for index in 0..<dataset.count {
      let label = UInt32(truncatingIfNeeded: dataset.label(at: index))
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        hash.add(UInt8(truncatingIfNeeded: label >> shift))
      }
    }
    return "fnv1a-" + String(hash.value, radix: 16)
  }
}
