import Foundation
import OctNet

/// As a person reads it.
extension ScaleReport {
  var text: String {
    var parts = [heading]
    if !measured.isEmpty { parts.append(measuredText) }
    if !forecasts.isEmpty { parts += [forecastText, turnText] }
    return parts.joined(separator: "\n\n")
  }

  private var heading: String {
    networks.map { network in
      let exchange = network.handling.sorted { Int($0.key) ?? 0 < Int($1.key) ?? 0 }
        .map { String(format: "%.1f for %@ ranks", $1, $0) }.joined(separator: ", ")
      let source =
        plan.isMeasured
        ? "\(counted(plan.threads, "thread")), \(KernelBenchmark.instructionSet)" : "given seconds"
      return [
        "\(network.model.heading), batch \(network.images) a rank, \(source)",
        String(
          format: "step     %.1f ms alone: forward %.1f, backward %.1f, update %.1f", network.alone,
          network.forward, network.backward, network.update),
        "exchange "
          + String(
            format: "%.1f MB of gradient, %.2f MB of statistics%@",
            Double(network.gradientBytes) / 1e6, Double(network.statisticsBytes) / 1e6,
            exchange.isEmpty ? "" : "; copies, additions and update: ms \(exchange)"),
      ].joined(separator: "\n")
    }.joined(separator: "\n")
  }

  private var measuredText: String {
    var table = TextTable(header: [
      "α", "ranks", "measured ms", "modelled ms", "difference", "images/s", "efficiency",
    ])
    for row in measured {
      table.add([
        "\(row.alpha)", "\(row.ranks)", format(row.milliseconds, decimals: 1),
        format(row.modelled, decimals: 1), String(format: "%+.1f %%", row.percent),
        format(row.imagesPerSecond, decimals: 1), Self.percent(row.efficiency),
      ])
    }
    let link = measured[0]
    return String(format: "measured at %.2f Gbit/s, %.1f µs\n", link.gigabits, link.latency)
      + table.description
  }

  private var forecastText: String {
    var table = TextTable(header: [
      "α", "ranks", "Gbit/s", "step ms", "computes", "gradient", "statistics", "messages", "images/s", "gain",
      "efficiency",
      "limit", "images for 90 %",
    ])
    for row in forecasts {
      table.add([
        "\(row.alpha)", "\(row.ranks)", format(row.gigabits, digits: 4),
        format(row.milliseconds, decimals: 1), format(row.computation, decimals: 1),
        format(row.gradient, decimals: 1), format(row.statistics, decimals: 1),
        format(row.messages, decimals: 1),
        format(row.imagesPerSecond, decimals: 1), format(row.gain, decimals: 2),
        Self.percent(row.efficiency), row.limit.rawValue, row.leastImages.map { "\($0)" } ?? "-",
      ])
    }
    let link = plan.links[0]
    let title =
      "forecast with \(format(1e6 * link.latency, digits: 4)) µs a message, \(link.messages.rawValue), buckets of "
      + "\(plan.bucketBytes >> 20) MiB, sums in \(plan.dtype.rawValue), "
      + (plan.overlaps ? "overlap with backward" : "no overlap")
    return title + "\n" + table.description
  }

  private var turnText: String {
    var table = TextTable(header: [
      "α", "ranks", "exchange = computation", "efficiency 90 %", "half of the gain",
    ])
    for row in turns {
      table.add(
        ["\(row.alpha)", "\(row.ranks)"]
          + [row.balance, row.good, row.halfGain].map { $0.map { format($0, digits: 3) } ?? "-" })
    }
    return "turns at Gbit/s\n" + table.description
  }

  private static func percent(_ share: Double) -> String { format(100 * share, decimals: 1) + " %" }
}
