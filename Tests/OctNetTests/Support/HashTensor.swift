/// Deterministic tensors from a name, so that weights too large to commit exist on both sides of a
/// comparison.
///
/// The twin of Tools/fixtures/hashtensor.py, where the definition stands; both give the same bits. Loops are
/// over raw pointers because tests run in debug builds and a ResNet-50 has 25 million weights.
enum HashTensor {
  /// FNV-1a, 64 bits.
  static func seed(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// Output `index` of SplitMix64 started at `seed`.
  @inline(__always)
  static func bits(_ seed: UInt64, _ index: Int) -> UInt64 {
    var z = seed &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
  }

  /// In [-1, 1), exact.
  static func uniform(_ name: String, count: Int, scale: Float = 1, offset: Float = 0) -> [Float] {
    let seed = seed(name)
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let values = buffer.baseAddress {
        var z = seed
        var index = 0
        while index < count {
          z = z &+ 0x9E37_79B9_7F4A_7C15
          var x = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
          x = (x ^ (x &>> 27)) &* 0x94D0_49BB_1331_11EB
          x = x ^ (x &>> 31)
          let u = Float(Int32(truncatingIfNeeded: x &>> 40)) * 0x1p-23 - 1
          values[index] = u * scale + offset
          index = index &+ 1
        }
      }
      initialized = count
    }
  }

  /// The value of a parameter or running statistic: a function of its key and shape.
  static func stateValue(_ name: String, shape: [Int]) -> [Float] {
    let count = shape.reduce(1, *)
    switch shape.count {
    case 4:
      let bound = Float((6 / Double(shape[0] * shape[2] * shape[3])).squareRoot())
      return uniform(name, count: count, scale: bound)
    case 2:
      return uniform(name, count: count, scale: Float((3 / Double(shape[1])).squareRoot()))
    default:
      break
    }
    if name.hasSuffix("running_var") { return uniform(name, count: count).map { 1 + 0.5 * abs($0) } }
    if name.hasSuffix("running_mean") || name == "fc.bias" { return uniform(name, count: count, scale: 0.1) }
    guard name.hasSuffix("bias") else { return uniform(name, count: count, scale: 0.05, offset: 0.5) }
    let isFirst = ["bn1.bias", "conv1.bn_h.bias", "conv1.bn_l.bias"].contains { name.hasSuffix($0) }
    let seed = seed(name)
    return uniform(name, count: count, scale: 0.1).enumerated().map { index, value in
      isFirst && (bits(seed, index) >> 39) & 1 == 1 ? value - 1 : value + 1
    }
  }

  /// [count, channels, height, width] of the definition, brought to [count, height, width, channels].
  static func images(_ name: String, count: Int, shape: [Int]) -> [Float] {
    let values = uniform(name, count: count * shape.reduce(1, *), scale: 1.7)
    return toNHWC(values, [count] + shape)
  }

  static func labels(_ name: String, count: Int, classes: Int) -> [Int32] {
    let seed = seed(name)
    return (0..<count).map { Int32(bits(seed, $0) % UInt64(classes)) }
  }

  /// What a fixture keeps of a large tensor: L2 norm, two dot products with signs, sampled entries.
  static func summary(_ name: String, _ values: [Float], samples: Int = 8) -> [Float] {
    var z = seed("probe." + name)
    var squares = 0.0
    var first = 0.0
    var second = 0.0
    values.withUnsafeBufferPointer { buffer in
      guard let pointer = buffer.baseAddress else { return }
      var index = 0
      let count = buffer.count
      while index < count {
        z = z &+ 0x9E37_79B9_7F4A_7C15
        var x = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x &>> 27)) &* 0x94D0_49BB_1331_11EB
        x = x ^ (x &>> 31)
        let value = Double(pointer[index])
        squares += value * value
        first += x &>> 63 == 0 ? value : -value
        second += (x &>> 62) & 1 == 0 ? value : -value
        index = index &+ 1
      }
    }
    let sampleSeed = seed("sample." + name)
    let sampled = (0..<samples).map { values[Int(bits(sampleSeed, $0) % UInt64(values.count))] }
    return [Float(squares.squareRoot()), Float(first), Float(second)] + sampled
  }
}
