import OctNetCore
import OctNetSupport
import OctNetTraining

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A linear axis: a range of values with round ticks, and where they are drawn.
struct ChartScale: Equatable, Sendable {
  let ticks: [Double]
  let lower, upper: Double
  /// Decimals that the ticks need.
  let decimals: Int
  /// Coordinates of `lower` and `upper`; a vertical axis has the larger one first.
  var start = 0.0
  var end = 1.0

  /// - Parameters:
  ///   - values: those to show, all finite.
  ///   - count: about how many ticks.
  ///   - isWhole: whether ticks are whole numbers, as epochs are.
  ///   - isTight: whether the axis ends at the values instead of at ticks.
  init(covering values: [Double], count: Int = 5, isWhole: Bool = false, isTight: Bool = false) {
    var low = values.reduce(.infinity) { min($0, $1) }
    var high = values.reduce(-.infinity) { max($0, $1) }
    if values.isEmpty { (low, high) = (0, 1) }
    if high - low <= 1e-9 * max(low.magnitude, high.magnitude) {
      // One value: room on both sides.
      let room = isWhole ? 1 : low == 0 ? 1 : 0.1 * low.magnitude
      (low, high) = (low - room, high + room)
    }
    let step = Self.step((high - low) / Double(count), isWhole: isWhole)
    let first = (low / step + (isTight ? -1e-9 : 1e-9)).rounded(isTight ? .up : .down)
    let last = (high / step + (isTight ? 1e-9 : -1e-9)).rounded(isTight ? .down : .up)
    let numbers = first...max(first, last)
    ticks = stride(from: numbers.lowerBound, through: numbers.upperBound, by: 1).map { $0 * step }
    lower = isTight ? low : first * step
    upper = isTight ? high : last * step
    decimals = min(12, max(0, Int((-log10(step) - 1e-9).rounded(.up))))
  }

  /// 1, 2 or 5 times a power of ten, the first that is `size` or more.
  private static func step(_ size: Double, isWhole: Bool) -> Double {
    let power = pow(10, log10(size).rounded(.down))
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= size * (1 - 1e-9) } ?? 10 * power
    return isWhole ? max(1, step) : step
  }

  func position(_ value: Double) -> Double { start + (value - lower) / (upper - lower) * (end - start) }

  func label(_ tick: Double) -> String { ReportNumber.fixed(tick, decimals) }
}
