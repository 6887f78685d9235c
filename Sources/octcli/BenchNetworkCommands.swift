import ArgumentParser
import Foundation
import OctNet
import OctNetSettings

/// What `bench train` and `bench infer` share.
struct BenchNetworkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Images a step or pass (default: 100 in train, 16 in infer).", valueName: "n"))
  var batchSize: Int?

  @OptionGroup
  var threadOptions: ThreadOptions

  @Option(
    help: ArgumentHelp("Timed repetitions (default: five seconds' worth, at least five).", valueName: "n"))
  var repetitions: Int?

  @Flag(
    help: ArgumentHelp(
      "Print where the time goes: each kind of operation with time, share, GFLOP/s and GB/s.",
      discussion: "The optimizer's updates, otherwise beside the convolutions, then run alone."))
  var profile = false

  @Flag(help: "Print it for each shape of each kind.")
  var profileShapes = false

  @Flag(
    help:
      "Print JSON: ms_median, ms_minimum, images_per_second, peak_rss_bytes, gflops, fraction_of_peak, threads_used and more."
  )
  var json = false

  func validate() throws {
    try Bounds.check("--batch-size", batchSize, SettingBounds.batchSize)
    try Bounds.check("--repetitions", repetitions, SettingBounds.repetitions)
  }

  func run(_ work: NetworkBenchmark.Work, of model: ModelConfiguration, batchSize: Int) throws {
    let benchmark = NetworkBenchmark(
      model: model, work: work, batchSize: self.batchSize ?? batchSize,
      threads: threadOptions.count, repetitions: repetitions)
    let profiler = profile || profileShapes ? Profiler() : nil
    let result = try benchmark.run(profiler: profiler)
    let rows = profiler.map {
      ProfileReport(profiler: $0, repetitions: result.repetitions, byShape: profileShapes)
    }
    if json {
      try Terminal.print(JSONOutput.text(Report(benchmark: benchmark, result: result, profile: rows?.rows)))
    } else {
      try Terminal.print(Self.text(benchmark, result))
      if let rows { try Terminal.print("\n" + rows.table) }
    }
  }

  private static func text(_ benchmark: NetworkBenchmark, _ result: NetworkBenchmark.Result) -> String {
    let lines = [
      "\(benchmark.model.heading), batch \(benchmark.batchSize), \(counted(benchmark.threads, "thread")), "
        + KernelBenchmark.instructionSet,
      String(
        format: "median  %.2f ms of %d, minimum %.2f ms", result.medianMilliseconds, result.repetitions,
        result.minimumMilliseconds),
      String(
        format: "speed   %.1f images/s, %.1f GFLOP/s, %.0f%% of the peak of %.1f", result.imagesPerSecond,
        result.gflops, 100 * result.fractionOfPeak, result.peakGFLOPS),
      String(format: "memory  %.1f MiB at most", Double(result.peakResidentBytes) / 1_048_576),
    ]
    let shared = String(
      format: "threads %.1f on average: other processes, or a quota, left no more", result.threadsUsed)
    return (lines + (result.threadsUsed < Double(benchmark.threads) ? [shared] : [])).joined(separator: "\n")
  }

  private struct Report: Encodable {
    let benchmark: NetworkBenchmark
    let result: NetworkBenchmark.Result
    let profile: [ProfileReport.Row]?

    enum CodingKeys: String, CodingKey {
      case model, threads, profile
      case batchSize = "batch_size"
      case instructionSet = "instruction_set"
    }

    func encode(to encoder: any Encoder) throws {
      try result.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(benchmark.model, forKey: .model)
      try container.encode(benchmark.threads, forKey: .threads)
      try container.encode(benchmark.batchSize, forKey: .batchSize)
      try container.encode(KernelBenchmark.instructionSet, forKey: .instructionSet)
      try container.encodeIfPresent(profile, forKey: .profile)
    }
  }
}

struct BenchTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Time training steps of a network.",
    discussion: """
      A step is forward, backward and the optimizer's update, on random images. Multiplications are counted as in \
      `octcli summary`, three times those of a forward pass; taps outside the map count although they are skipped, \
      so networks with small maps can exceed the peak.

      Examples:
        octcli bench train --alpha 0.125 --image-size 32 --batch-size 100
        octcli bench train --model resnet50 --stem cifar --alpha 0.5 \\
          --batch-size 64 --profile
        octcli bench train --image-size 224 --classes 1000 --batch-size 8 \\
          --optimizer sgd --json
      """)

  @OptionGroup var network: NetworkOptions

  @OptionGroup var options: BenchNetworkOptions

  @Option(help: "Update rule.")
  var optimizer: OptimizerName = .adam

  func run() throws {
    try options.run(
      .training(optimizer.rule), of: network.configuration(smallImages: true), batchSize: 100)
  }
}

struct BenchInferCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "infer",
    abstract: "Time forward passes of a network.",
    discussion: """
      The network as `octcli eval` runs it, on random images. Multiplications are counted as in `octcli summary`.

      Examples:
        octcli bench infer --alpha 0.5 --batch-size 16
        octcli bench infer --model resnet18 --batch-size 1 --threads 1 --profile
      """)

  @OptionGroup var network: NetworkOptions

  @OptionGroup var options: BenchNetworkOptions

  func run() throws {
    try options.run(.inference, of: network.configuration(), batchSize: 16)
  }
}
