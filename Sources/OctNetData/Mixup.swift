import Foundation
import OctNetSupport

/// Mixes pairs of training images and their labels (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018):
/// x = λ·x_i + (1 − λ)·x_j, loss = λ·loss(y_i) + (1 − λ)·loss(y_j), with one λ ~ Beta(α, α) a batch.
///
/// Image i of a batch is mixed with image count − 1 − i. Batches are shuffled, so any pairing is a random one.
struct Mixup: Equatable, Sendable {
  let alpha: Double

  /// λ of a batch; depends on these three numbers only.
  func share(seed: UInt64, epoch: Int, batch: Int) -> Float {
    var random = RandomStream(seed: seed, "mixup", epoch, batch)
    return Float(random.beta(alpha))
  }

  /// Mixes `count` images of `size` values in place. Counted loops over plain pointers: this must keep a network fed in
  /// debug builds too.
  static func mix(_ images: UnsafeMutablePointer<Float>, count: Int, size: Int, share: Float) {
    let rest = 1 - share
    var first = 0
    while first < count / 2 {
      let a = images + first &* size
      let b = images + (count &- 1 &- first) &* size
      var index = 0
      while index < size {
        let (x, y) = (a[index], b[index])
        a[index] = share * x + rest * y
        b[index] = share * y + rest * x
        index &+= 1
      }
      first &+= 1
    }
  }
}

extension RandomStream {
  /// Beta(a, a), from two gamma variates.
  mutating func beta(_ a: Double) -> Double {
    let (x, y) = (logGamma(a), logGamma(a))
    // In logarithms, since for a small `a` both variates can be too small for a Double.
    return 1 / (1 + exp(y - x))
  }

  /// The logarithm of a Gamma(a, 1) variate (Marsaglia, Tsang 2000, boosted by one for a < 1).
  private mutating func logGamma(_ a: Double) -> Double {
    let d = a + 1 - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = Double(normal())
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      guard v > 0, log(positiveUniform()) < 0.5 * x * x + d - d * v + d * log(v) else { continue }
      return log(d * v) + log(positiveUniform()) / a
    }
  }

  /// Uniform in (0, 1], 53 bits.
  private mutating func positiveUniform() -> Double { (Double(next() >> 11) + 1) * 0x1p-53 }
}
