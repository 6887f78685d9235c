import Foundation
import Testing

/// `octcli bench scale`: the model itself has tests of its own.
struct BenchScaleTests {
  struct Report: Decodable {
    struct Network: Decodable {
      let msAlone, msForward, msBackward, msUpdate: Double
      let msHandling: [String: Double]
      let gradientBytes, statisticsBytes, imagesPerRank: Int
    }
    struct Forecast: Decodable {
      let alpha, gbit, ms, msComputation, msGradient, msStatistics, msMessages: Double
      let imagesPerSecond, efficiency, gain: Double
      let ranks: Int
      let limit: String
    }
    struct Turn: Decodable {
      let alpha: Double
      let ranks: Int
      let gbitExchangeAsLongAsComputation, gbitHalfGain: Double?
    }
    let networks: [Network]
    let forecasts: [Forecast]
    let turns: [Turn]
    let overlap: Bool
    let messages: String
    let latencyUs: Double
    let bucketBytes: Int
    let reduceDtype: String
  }

  private func run(_ flags: String...) throws -> Report { try run(flags) }

  private func run(_ flags: [String]) throws -> Report {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["bench", "scale", "--json"] + flags)
    #expect(outcome.status == 0 && outcome.errors == "", "\(outcome.errors)")
    #expect(!outcome.output.contains("\"measured\""))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Report.self, from: Data(outcome.output.utf8))
  }

  /// 25,557,032 parameters, padded for the kernels: by hand without overlap.
  @Test func forecastsFromGivenSeconds() throws {
    let report = try run(
      "--seconds", "0.9,0.6", "--ranks", "2,8", "--gbit", "8", "--latency-us", "100", "--no-overlap")
    #expect(report.networks.map { $0.msAlone.rounded() } == [900, 600])
    #expect(report.networks.allSatisfy { $0.msHandling.isEmpty && $0.msUpdate == 0 })
    #expect(report.networks.allSatisfy { (102_228_128..<102_500_000).contains($0.gradientBytes) })
    #expect(!report.overlap && report.messages == "pairwise" && abs(report.latencyUs - 100) < 1e-9)
    #expect(
      report.forecasts.map(\.ranks) == [2, 8, 2, 8] && report.forecasts.map(\.alpha) == [0, 0, 0.5, 0.5])
    let row = report.forecasts[1], network = report.networks[0]
    let buckets = (Double(network.gradientBytes) / Double(report.bucketBytes)).rounded(.up)
    let bytes = 1.75 * Double(network.gradientBytes + network.statisticsBytes) + 7 * 24
    let expected = 900 + 1e3 * bytes / 1e9 + 0.1 * (3 + buckets * 14 + 3)
    #expect(abs(row.ms - expected) < 1e-6)
    #expect(abs(row.msComputation + row.msGradient + row.msStatistics + row.msMessages - row.ms) < 1e-6)
    #expect(abs(row.imagesPerSecond - 128_000 / row.ms) < 1e-6 && abs(row.efficiency - 900 / row.ms) < 1e-9)
    // Octaves turn sooner.
    #expect(report.forecasts[3].efficiency < row.efficiency)
    let turns = report.turns.map { $0.gbitExchangeAsLongAsComputation ?? 0 }
    #expect(turns[3] > turns[1] && turns[1] > 0)
    #expect(report.turns.map { $0.gbitHalfGain == nil } == [true, true, false, false])
  }

  @Test func sumsInBFloat16AreFewerBytes() throws {
    func run(_ flags: String...) throws -> Report {
      try self.run(
        flags + ["--seconds", "0.9", "--alphas", "0", "--ranks", "8", "--gbit", "8", "--no-overlap"])
    }
    let (float, half) = (try run(), try run("--reduce-dtype", "bfloat16"))
    #expect(float.reduceDtype == "float32" && half.reduceDtype == "bfloat16")
    #expect(abs(half.forecasts[0].msGradient / float.forecasts[0].msGradient - 0.75) < 1e-9)
    #expect(abs(half.forecasts[0].msStatistics - float.forecasts[0].msStatistics) < 1e-9)
  }

  @Test func measuresWhatIsNotGiven() throws {
    let report = try run(
      "--model", "resnet20", "--alphas", "0.25", "--image-size", "16", "--batch-size", "3", "--ranks", "2,4",
      "--gbit", "1", "--repetitions", "1", "--threads", "1")
    let network = try #require(report.networks.first)
    #expect(network.msForward > 0 && network.msBackward > 0 && network.imagesPerRank == 3)
    #expect(network.msHandling.keys.sorted() == ["2", "4"])
    for row in report.forecasts {
      let handling = try #require(network.msHandling["\(row.ranks)"])
      #expect(abs(row.msComputation - network.msForward - network.msBackward - handling) < 1e-9)
      #expect(row.ms > row.msComputation && row.gain == 1)
    }
  }

  @Test func printsTables() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("bench", "scale", "--seconds", "1,0.5", "--messages", "recursive")
    #expect(outcome.status == 0)
    #expect(
      outcome.output.contains(
        "forecast with 50 µs a message, recursive, buckets of 16 MiB, sums in float32, overlap"))
    #expect(outcome.output.contains("turns at Gbit/s"))
    // 2 networks, 3 numbers of ranks, 3 bandwidths; then 2 networks and 3 numbers of ranks.
    let rows = outcome.output.split(separator: "\n").filter { $0.hasPrefix("0.") }
    #expect(rows.count == 18 + 6)
  }

  @Test(arguments: [
    "--ranks 3", "--ranks 0", "--ranks 2048", "--ranks 8,", "--gbit 0", "--gbit fast", "--seconds 0.9",
    "--seconds 0.9,-1", "--latency-us=-1", "--latency-us=nan", "--bucket-mib 0", "--alphas 2",
    "--seconds 0.9,0.6 --latency-us 1e40", "--seconds 0.9,0.6 --gbit 1e-40",
    "--seconds 1e-40,1e-40 --ranks 1",
    "--batch-size 0",
    "--repetitions 0", "--messages some", "--threads 0", "--model resnet1",
  ])
  func refusesWrongFlags(flags: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["bench", "scale"] + flags.split(separator: " ").map(String.init))
    #expect(outcome.status == 64 && outcome.output == "", "\(outcome.errors)")
  }
}
