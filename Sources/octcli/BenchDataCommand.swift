import ArgumentParser
import Foundation
import OctNet
import OctNetSettings

struct BenchDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Time how images become batches.",
    discussion: """
      Takes the settings of octcli train, by flags, recipe or file, and reads, decodes, changes and normalises the images of \
      an epoch as training does. Speed is counted from the first batch on, and by the time of processors; memory is the \
      most that the process had until each quarter. With --steps a network of the settings learns from them by turns with one \
      batch that stays in memory: what a step costs alone, fed, and what preparing a batch takes.

      Examples:
        octcli bench data synthetic --augment resized-crop,flip --image-size 32
        octcli bench data cifar10:DIR --batch-size 128 --json
        octcli bench data synthetic --alpha 0.5 --batch-size 16 --steps
      """)

  @Argument(help: DataOptions.help(default: "that of --config, else synthetic"))
  var source: String?

  @Option(help: ArgumentHelp("Batches of the epoch, at most (default: all).", valueName: "n"))
  var batches: Int?

  @Flag(help: "Time training steps, alone and fed.")
  var steps = false

  @Flag(
    help: ArgumentHelp(
      "Print JSON: images_per_second, images_per_core_second, seconds_to_first_batch, peak_rss_bytes and more.",
      discussion: "With --steps: ms_alone, ms_fed and ms_preparation."))
  var json = false

  @Option(
    help: ArgumentHelp(
      "With --steps: share of the channels at half resolution, 0 to 1 (default: \(QuickStart.alpha)).",
      valueName: "ratio"))
  var alpha: Double?

  @OptionGroup
  var training: TrainingOptions

  func validate() throws {
    if source != nil && training.data.data != nil {
      throw ValidationError("the data is given twice, also by --data")
    }
    if alpha != nil && !steps { throw ValidationError("--alpha belongs to --steps") }
    try ArchitectureOptions.validate(alpha: alpha)
    let full = DataBenchmark.leastFullBatches
    if steps, let batches, batches < full {
      throw ValidationError(
        "--batches: expected \(full) or more full batches with --steps, found \(batches)")
    }
    try Bounds.check(
      "--batches", batches, DataBenchmark.leastBatches...SettingBounds.repetitions.upperBound)
  }

  func run() throws {
    let start = ContinuousClock().now
    var training = training
    if let source { training.data.data = source }
    let resolved = try training.resolve(alpha: alpha)
    let settings = resolved.configuration
    let loader = try settings.trainingBatches(of: resolved.data)
    guard loader.batchesPerEpoch > 0, let model = settings.model else {
      throw OctNetError.configuration(key: "data", "the training set is empty")
    }
    let benchmark = DataBenchmark(loader, batches: batches ?? loader.batchesPerEpoch)
    if steps {
      let found = try benchmark.train(model, threads: settings.threads)
      try Terminal.print(json ? JSONOutput.text(found) : Self.text(found))
    } else {
      let found = try benchmark.prepare(since: start)
      try Terminal.print(json ? JSONOutput.text(found) : Self.text(found))
    }
  }

  private static func text(_ found: DataBenchmark.Preparation) -> String {
    let memory = found.peakResidentBytes.map { String(format: "%.1f", Double($0) / 1_048_576) }
    return [
      "images  \(found.images)" + (found.skipped > 0 ? ", \(found.skipped) left out" : ""),
      String(
        format: "speed   %.1f images/s, %.1f of a core's second", found.imagesPerSecond,
        found.imagesPerCoreSecond),
      String(format: "first   %.3f s until the first batch", found.secondsToFirstBatch),
      "memory  \(memory.joined(separator: ", ")) MiB at most until each quarter",
    ].joined(separator: "\n")
  }

  private static func text(_ found: DataBenchmark.Steps) -> String {
    [
      String(format: "alone   %.2f ms a step", found.alone),
      String(
        format: "fed     %.2f ms a step, %.3f times as long", found.fed, found.fed / found.alone),
      String(
        format: "core    %.2f ms to prepare a batch; the step alone and 1.1 times that are %.2f ms",
        found.preparation, found.alone + 1.1 * found.preparation),
    ].joined(separator: "\n")
  }
}
