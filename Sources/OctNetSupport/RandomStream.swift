#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A seeded stream of random numbers (SplitMix64; Steele, Lea, Flood 2014).
///
/// Streams are derived, never shared: `RandomStream(seed: 1, "augmentation", epoch, index)` is the same numbers on
/// every machine, whichever thread asks and whatever was drawn before. So a run that resumes in the middle of an
/// epoch needs no saved generator state beyond its position.
public struct RandomStream: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The stream named by `purpose` and `indices` under `seed`.
  public init(seed: UInt64, _ purpose: String, _ indices: Int...) {
    var hash = Self.mix(seed &+ 0x9e37_79b9_7f4a_7c15)
    for byte in purpose.utf8 { hash = Self.mix(hash ^ UInt64(byte)) }
    for index in indices { hash = Self.mix(hash ^ UInt64(bitPattern: Int64(index))) }
    state = hash
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }

  /// Uniform in [0, 1), 24 bits.
  public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Uniform in 0 ..< bound, without bias (Lemire 2019).
  public mutating func index(below bound: Int) -> Int {
    precondition(bound > 0)
    return Int(next(upperBound: UInt64(bound)))
  }

  /// Standard normal (Box–Muller in double precision).
  public mutating func normal() -> Float {
    let u = (Double(next() >> 11) + 1) * 0x1p-53  // (0, 1]
    let v = Double(next() >> 11) * 0x1p-53
    return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
