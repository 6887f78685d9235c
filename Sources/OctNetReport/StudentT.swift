#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Student's t distribution: how far the mean of a few numbers may be off, in units of its estimated deviation.
enum StudentT {
  /// P(|T| ≤ t) with so many degrees of freedom, 1 − I(ν / (ν + t²); ν / 2, 1 / 2).
  /// - Precondition: `degrees` ≥ 1 and t ≥ 0.
  static func central(_ t: Double, degrees: Int) -> Double {
    precondition(degrees >= 1 && t >= 0, "degrees of freedom from 1, t from 0")
    let ν = Double(degrees)
    return 1 - incompleteBeta(ν / (ν + t * t), ν / 2, 0.5)
  }

  /// The t with P(|T| ≤ t) = `share`.
  /// - Precondition: `degrees` ≥ 1, `share` in 0 ..< 1.
  static func quantile(central share: Double, degrees: Int) -> Double {
    precondition((0..<1).contains(share), "a share below 1")
    var (low, high) = (0.0, 1.0)
    while central(high, degrees: degrees) < share { high *= 2 }
    // Until the middle is one of the ends.
    while true {
      let middle = low + (high - low) / 2
      guard middle > low, middle < high else { return middle }
      if central(middle, degrees: degrees) < share { low = middle } else { high = middle }
    }
  }

  /// The regularised incomplete beta function I(x; a, b).
  private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    // The fraction converges fast below the mean only.
    guard x <= (a + 1) / (a + b + 2) else { return 1 - incompleteBeta(1 - x, b, a) }
    let logarithm = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    return exp(logarithm) / a * continuedFraction(x, a, b)
  }

  /// 1 / (1 + d₁ / (1 + d₂ / (1 + …))), DLMF 8.17.22, by Lentz's method.
  private static func continuedFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    var (c, d) = (1.0, 1 / (1 - (a + b) * x / (a + 1)))
    var fraction = d
    for step in 1...10_000 {
      let m = Double(step)
      for term in [
        m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
      ] {
        d = 1 + term * d
        d = 1 / (d.magnitude < tiny ? tiny : d)
        c = 1 + term / c
        if c.magnitude < tiny { c = tiny }
        fraction *= c * d
      }
      if (c * d - 1).magnitude < 1e-16 { break }
    }
    return fraction
  }
}
