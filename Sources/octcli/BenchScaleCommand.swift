import ArgumentParser
import Foundation
import OctNet
import OctNetMPI
import OctNetSettings

struct BenchScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Forecast training on many machines.",
    discussion: """
      Times what one rank of `octcli train --shards` computes in a step here, alone and with what it copies and adds for the \
      exchange, and adds by a model what the exchange takes between so many machines like this one: bytes, messages, and what \
      of them backward hides. A table has each number of ranks at each bandwidth: the step, what of it is computation and what \
      waits for bytes and for messages, images a second of all ranks, the efficiency (beside as many processes that need not \
      know of each other), what costs most of what is missing to it, and the images of a rank from which it is 90 %. A second \
      table has the bandwidths at which this turns.

      Under mpirun the step is made among the job's ranks, too, and stands beside what the model says with the bandwidth and \
      the latency that are measured between them; then there are forecasts for the --ranks that are given.

      Examples:
        octcli bench scale --model resnet20 --alphas 0,0.5 --batch-size 16
        octcli bench scale --seconds 0.9,0.6 --ranks 8,64,512 --no-overlap
        octcli bench scale --seconds 0.9,0.6 --gbit 1,10 --latency-us 20 \\
          --reduce-dtype bfloat16
      """)

  @Option(help: ArgumentHelp("Network.", valueName: "name"))
  var model = ModelName("resnet50")

  @Option(
    help: ArgumentHelp(
      "Shares of the channels at half resolution, separated by commas.",
      valueName: "ratios"))
  var alphas = RatioList([0, 0.5])

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @Option(
    help: ArgumentHelp("Classes (default: 10 with the cifar stem, 1000 with others).", valueName: "n"))
  var classes: Int?

  @Option(
    help: ArgumentHelp(
      "Height and width of the image (default: 32 with the cifar stem, 224 with others).", valueName: "n"))
  var imageSize: Int?

  @Option(help: ArgumentHelp("Images of a rank in each step.", valueName: "n"))
  var batchSize = 16

  @Option(help: "Update rule.")
  var optimizer: OptimizerName = .sgd

  @OptionGroup
  var threadOptions: ThreadOptions

  @Option(help: ArgumentHelp("Timed steps of which the median counts.", valueName: "n"))
  var repetitions = 5

  @Option(
    help: ArgumentHelp(
      "Take these seconds of a step of one rank, for each of --alphas, in place of measuring.",
      discussion: """
        A third of them is forward; backward passes as its multiplications do; copies and additions take no time.
        """, valueName: "list"))
  var seconds: PositiveNumbers?

  @Option(
    help: ArgumentHelp(
      "Numbers of ranks, powers of two (default: 8,64,512; under mpirun none).", valueName: "list"))
  var ranks: PowersOfTwo?

  @Option(help: ArgumentHelp("Gbit/s between ranks, in each direction.", valueName: "list"))
  var gbit = PositiveNumbers([10, 25, 100])

  @Option(help: ArgumentHelp("Microseconds of a message without its bytes.", valueName: "µs"))
  var latencyUs = 50.0

  @Option(
    help: ArgumentHelp(
      "How messages of one exchange follow one another.",
      discussion: """
        pairwise: with each other rank in turn; concurrent: with all at once, as far as MPI can; recursive: with ranks at distances \
        that double, by a reduction in MPI's place.
        """))
  var messages: ScaleModel.Messages = .pairwise

  @Option(help: ArgumentHelp("MiB of the gradient that are exchanged at once.", valueName: "MiB"))
  var bucketMib = ScaleModel.usualBucketBytes >> 20

  @Option(help: "Numbers of the sums that ranks send, as with train.")
  var reduceDtype: ReduceDtype = .float32

  @Flag(help: "Let the exchange begin when backward is done.")
  var noOverlap = false

  @Flag(help: "Print JSON: networks, forecasts, turns, and measured under mpirun.")
  var json = false

  func validate() throws {
    try Bounds.check("--batch-size", batchSize, SettingBounds.batchSize)
    try Bounds.check("--classes", classes, SettingBounds.classes)
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
    try Bounds.check("--repetitions", repetitions, SettingBounds.repetitions)
    try Bounds.check("--bucket-mib", bucketMib, 1...1 << 20)
    guard (0...1e9).contains(latencyUs) else {
      throw ValidationError("--latency-us: expected 0 to 1e9, found \(latencyUs)")
    }
    if let seconds, seconds.values.count != alphas.values.count {
      throw ValidationError(
        "--seconds: expected \(numbered(alphas.values.count, "number")), one for each of --alphas, found \(seconds.values.count)"
      )
    }
  }

  func run() throws { try Ranks.run(measure) }

  private func measure(_ job: MPIRanks?) throws {
    let counts = ranks?.values ?? (job == nil ? [8, 64, 512] : [])
    let benchmarks = alphas.values.map { alpha in
      ScaleBenchmark(
        model: configuration(alpha: alpha), images: batchSize, optimizer: optimizer.rule,
        threads: threadOptions.count, repetitions: repetitions, dtype: reduceDtype, ranks: job)
    }
    let networks = try benchmarks.enumerated().map { index, benchmark in
      let given = try seconds.map {
        try ScaleCosts(estimating: benchmark.model, images: batchSize, seconds: $0.values[index])
      }
      let costs = try given ?? benchmark.costs(ranks: counts)
      guard let job else { return ScaleNetwork(model: benchmark.model, costs: costs, step: nil) }
      let step = try benchmark.stepOfJob()
      return ScaleNetwork(
        model: benchmark.model, costs: costs.computing(step.computation, ranks: job.ranks),
        step: step.seconds)
    }
    let report = ScaleReport(
      networks: networks, plan: plan(counts),
      job: job.map { .init(ranks: $0.ranks, link: benchmarks[0].link()) })
    // The others have measured the same.
    guard job?.rank ?? 0 == 0 else { return }
    try Terminal.print(json ? JSONOutput.text(report) : report.text)
  }

  private func configuration(alpha: Double) -> ModelConfiguration {
    var configuration = architecture.configuration(
      changing: ModelConfiguration(name: model.rawValue), model: model, alpha: alpha, classes: 1, height: 1,
      width: 1, channels: 3)
    configuration.classes = classes ?? configuration.stem.usualClasses
    configuration.inputHeight = imageSize ?? configuration.stem.usualImageSize
    configuration.inputWidth = configuration.inputHeight
    return configuration
  }

  private func plan(_ counts: [Int]) -> ScaleReport.Plan {
    ScaleReport.Plan(
      ranks: counts,
      links: gbit.values.map { .init(gigabits: $0, latency: latencyUs * 1e-6, messages: messages) },
      bucketBytes: bucketMib << 20, dtype: reduceDtype, overlaps: !noOverlap, threads: threadOptions.count,
      isMeasured: seconds == nil)
  }
}

extension ScaleModel.Messages: ExpressibleByArgument {}

/// "10" or "10,25,100": numbers above 0, of which texts and tables can be made.
struct PositiveNumbers: ExpressibleByArgument, CustomStringConvertible {
  let values: [Double]

  init(_ values: [Double]) { self.values = values }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Double($0) }.filter { $0 > 1e-9 && $0 < 1e9 }
    guard values.count == parts.count else { return nil }
  }

  var description: String { values.map { format($0, digits: 6) }.joined(separator: ",") }
}

/// "8" or "8,64,512": numbers of ranks among which a batch can be divided.
struct PowersOfTwo: ExpressibleByArgument {
  let values: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Int($0) }.filter { SettingBounds.shards.contains($0) && $0 & ($0 - 1) == 0 }
    guard values.count == parts.count else { return nil }
  }
}
