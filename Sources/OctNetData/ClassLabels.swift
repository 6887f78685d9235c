import OctNetSupport

extension ClassLabels {
  /// Those of a data set's training images.
  public init(_ training: any Dataset) {
    self.init(names: training.classNames, fingerprint: Self.fingerprint(of: training))
  }

  /// FNV-1a (64 bits) of every label, or number of a target, as four bytes, the lowest first, in hexadecimal.
  static func fingerprint(of dataset: any Dataset) -> String {
    var hash = FNV1a()
    func add(_ word: UInt32) {
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        hash.add(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    var target = [Float](repeating: 0, count: dataset.targetSize)
    for index in 0..<dataset.count {
      guard dataset.targetSize > 0 else {
        add(UInt32(truncatingIfNeeded: dataset.label(at: index)))
        continue
      }
      target.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { dataset.copyTarget(at: index, to: base) }
      }
      for value in target { add(value.bitPattern) }
    }
    return "fnv1a-" + String(hash.value, radix: 16)
  }
}
