import OctNetCheckpoint
import OctNetCore
import OctNetModels
import OctNetSupport
import OctNetTraining

/// Times whole training steps, or whole forward passes, of a network on random images.
public struct NetworkBenchmark {
  /// What is timed.
  public enum Work: Sendable {
    /// Forward, backward and the optimizer's update.
    case training(OptimizerConfiguration)
    /// The forward pass with running statistics.
    case inference
  }

  /// Times and rates of a network.
  public struct Result: Codable, Sendable {
    /// Of all repetitions.
    public let medianMilliseconds, minimumMilliseconds: Double
    /// Passes or steps that were timed.
    public let repetitions: Int
    /// At the median.
    public let imagesPerSecond: Double
    /// Largest resident memory of this process so far.
    public let peakResidentBytes: Int
    /// Multiplications and additions of convolutions and linear layers as `CostSummary` counts them (three times
    /// those of a forward pass for training), by the median.
    public let gflops: Double
    /// Of the machine's peak. Border taps are skipped but counted, so small maps can exceed it.
    public let fractionOfPeak: Double
    /// Of this machine with as many threads, measured beside.
    public let peakGFLOPS: Double
    /// Mean of the timed repetitions: fewer than were asked for where other processes used the processors.
    public let threadsUsed: Double

    enum CodingKeys: String, CodingKey {
      case medianMilliseconds = "ms_median"
      case minimumMilliseconds = "ms_minimum"
      case repetitions
      case imagesPerSecond = "images_per_second"
      case peakResidentBytes = "peak_rss_bytes"
      case gflops
      case fractionOfPeak = "fraction_of_peak"
      case peakGFLOPS = "peak_gflops"
      case threadsUsed = "threads_used"
    }
  }

  /// Which network.
  public let model: ModelConfiguration
  /// Inference or training.
  public let work: Work
  /// Images of a pass or step.
  public let batchSize: Int
  /// OpenMP threads.
  public let threads: Int
  /// nil: as many as fit in `seconds`, five at least.
  public let repetitions: Int?
  /// The least time that is measured, where `repetitions` says nothing.
  public let seconds: Double

  /// - Precondition: sizes are positive.
  public init(
    model: ModelConfiguration, work: Work, batchSize: Int, threads: Int, repetitions: Int? = nil,
    seconds: Double = 5
  ) {
    precondition(batchSize > 0 && threads > 0 && repetitions ?? 1 > 0)
    self.model = model
    self.work = work
    self.batchSize = batchSize
    self.threads = threads
    self.repetitions = repetitions
    self.seconds = seconds
  }

  /// - Parameter profiler: receives the time of every operation of the timed repetitions.
  /// - Throws: `OctNetError.configuration` for a network that does not exist, and sizes that are out of bounds or need
  ///   more memory than there is.
  public func run(profiler: Profiler? = nil) throws -> Result {
    let graph = try model.makeGraph()
    let imageSize = graph.shape(of: graph.input).count
    let headroom = MemoryDemand.headroom()
    let imageBytes = imageSize * MemoryLayout<Float>.stride
    let operations = 2 * Double(batchSize) * Double(graph.costSummary().total.macs)
    var times: [Double]
    var threadsUsed = 0
    switch work {
    case .inference:
      let weights = try InferenceModel(model.makeNetwork(seed: 1), batchSize: batchSize, threads: threads)
      let session = try InferenceSession(weights) { $0 * imageBytes + headroom }
      let images = randomImages(imageSize * batchSize)
      times = measure(start: {
        session.profiler = profiler
        threadsUsed = 0
      }) {
        threadsUsed += session.activeThreads
        _ = session.logits(images: images.floats, count: batchSize)
      }
    case .training(let rule):
      let network = try model.makeNetwork(seed: 1)
      let stateBytes = rule.stateNames.count * network.parameters.count * MemoryLayout<Float>.stride
      let session = try TrainingSession(network: network, batchSize: batchSize, threads: threads) {
        $0 * imageBytes + stateBytes + headroom
      }
      let images = randomImages(imageSize * batchSize)
      let optimizer = Optimizer(
        parameters: network.parameters, configuration: rule, weightDecay: 5e-4, threads: threads)
      var stream = RandomStream(seed: 1, "benchmark labels")
      let labels = (0..<batchSize).map { _ in Int32(stream.index(below: model.classes)) }
      times = measure(start: {
        session.profiler = profiler
        optimizer.profiler = profiler
        threadsUsed = 0
      }) {
        threadsUsed += session.activeThreads
        _ = session.step(
          images: images.floats, labels: labels, count: batchSize, updating: optimizer, learningRate: 1e-3)
      }
    }
    times.sort()
    let median = times[times.count / 2]
    let peak = KernelBenchmark(threads: threads, repetitions: 5).peak()
    let gflops = operations * passes / median * 1e-9
    return Result(
      medianMilliseconds: median * 1e3, minimumMilliseconds: times[0] * 1e3, repetitions: times.count,
      imagesPerSecond: Double(batchSize) / median, peakResidentBytes: ProcessUsage().peakResidentBytes,
      gflops: gflops, fractionOfPeak: gflops / peak, peakGFLOPS: peak,
      threadsUsed: Double(threadsUsed) / Double(times.count))
  }

  /// Forward, backward to the data and backward to the weights multiply equally often.
  private var passes: Double {
    if case .training = work { return 3 }
    return 1
  }

  /// Seconds of each repetition; two more before them are not counted.
  private func measure(start: () -> Void, _ body: () -> Void) -> [Double] {
    let clock = ContinuousClock()
    for _ in 0..<2 { body() }
    start()
    var times: [Double] = []
    var total = 0.0
    while repetitions.map({ times.count < $0 }) ?? (times.count < 5 || total < seconds) {
      let begin = clock.now
      body()
      times.append((clock.now - begin).inSeconds)
      total += times[times.count - 1]
    }
    return times
  }

  private func randomImages(_ count: Int) -> AlignedBuffer {
    let buffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    var stream = RandomStream(seed: 1, "benchmark images")
    for index in 0..<count { buffer.floats[index] = stream.normal() }
    return buffer
  }
}
