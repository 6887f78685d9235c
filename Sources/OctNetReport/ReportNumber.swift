import OctNetCheckpoint
import OctNetSupport

/// Numbers as people read them: few decimals, a true minus, no "-0.00".
enum ReportNumber {
  /// Large and tiny numbers, with which decimals say nothing, get an exponent.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value > 0 ? "∞" : "−∞" }
    let text = value.magnitude < 1e6 ? format(value, decimals: decimals) : format(value, digits: 3)
    guard text.hasPrefix("-") else { return text }
    let magnitude = text.dropFirst()
    return magnitude.allSatisfy { $0 == "0" || $0 == "." } ? String(magnitude) : "−" + magnitude
  }

  /// A fraction in percent, without the sign.
  static func percent(_ fraction: Double, _ decimals: Int = 2) -> String { fixed(100 * fraction, decimals) }

  static func percent(_ spread: Spread, _ decimals: Int = 2) -> String {
    plusMinus(percent(spread.mean, decimals), spread.deviation.map { percent($0, decimals) })
  }

  static func fixed(_ spread: Spread, _ decimals: Int) -> String {
    plusMinus(fixed(spread.mean, decimals), spread.deviation.map { fixed($0, decimals) })
  }

  /// A difference of fractions in percentage points, with its sign.
  static func points(_ difference: Double) -> String {
    let text = percent(difference)
    return difference > 0 && text != "0.00" ? "+" + text : text
  }

  /// "+0.31 to +1.20".
  static func points(_ range: ClosedRange<Double>) -> String {
    "\(points(range.lowerBound)) to \(points(range.upperBound))"
  }

  /// Three significant digits, as suits times from milliseconds to days.
  static func seconds(_ value: Double) -> String {
    fixed(value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3)
  }

  /// For machines: all the digits that the logs have, `nan` and `inf` as they write it.
  static func raw(_ value: Double) -> String { format(value, digits: 8) }

  private static func plusMinus(_ mean: String, _ deviation: String?) -> String {
    deviation.map { "\(mean) ± \($0)" } ?? mean
  }
}
