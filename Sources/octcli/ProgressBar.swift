import Foundation

/// One line of progress that rewrites itself on a terminal and stays silent in a pipe, where only the lines given
/// to `note` appear.
///
///     epoch 2/8 ━━━━━━━━━━━━━─────────  58%  1043 img/s  ETA 0:07  loss 0.8121  acc 71.3%  lr 0.100
final class ProgressBar {
  let isInteractive: Bool
  private let clock = ContinuousClock()
  private var lastDrawn: ContinuousClock.Instant?
  private var isDrawn = false

  init(isInteractive: Bool = Terminal.isInteractive) { self.isInteractive = isInteractive }

  /// Shows `label`, the fraction `done / total` and `fields`; at most ten times a second, so that drawing costs
  /// nothing beside a training step.
  func update(label: String, done: Int, total: Int, fields: [String]) {
    guard isInteractive else { return }
    let now = clock.now
    if let last = lastDrawn, now - last < .milliseconds(100), done < total { return }
    lastDrawn = now
    let line = Self.line(label: label, done: done, total: total, fields: fields, width: Terminal.width - 1)
    Terminal.writeError("\r\u{1b}[2K" + line)
    isDrawn = true
  }

  /// Replaces the bar by a line that stays.
  func note(_ line: String) {
    erase()
    Terminal.printError(line)
  }

  /// Leaves the terminal as it was before the bar was drawn.
  func erase() {
    if isDrawn { Terminal.writeError("\r\u{1b}[2K") }
    isDrawn = false
    lastDrawn = nil
  }

  /// The bar takes what the text leaves, 8 to 30 columns; a line that is still too long loses its last fields.
  static func line(label: String, done: Int, total: Int, fields: [String], width: Int) -> String {
    let fraction = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
    let percent = String(format: "%3d%%", Int(fraction * 100))
    var kept = fields
    func text() -> String { ([percent] + kept).joined(separator: "  ") }
    while !kept.isEmpty && label.count + text().count + 11 > width { kept.removeLast() }
    let columns = min(30, width - label.count - text().count - 3)
    guard columns >= 1 else { return String((label + " " + percent).prefix(max(0, width))) }
    let filled = Int(fraction * Double(columns))
    let bar = String(repeating: "━", count: filled) + String(repeating: "─", count: columns - filled)
    return "\(label) \(bar)  \(text())"
  }

  /// 0:07, 12:40, 1:02:05.
  /// - Parameter limit: from where on seconds are no forecast any more.
  static func duration(_ seconds: Double, limit: Double = 360_000) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < limit else { return "–:––" }
    let whole = Int(seconds.rounded())
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }
}
