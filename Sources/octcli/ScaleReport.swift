import Foundation
import OctNet

/// A network in a forecast.
struct ScaleNetwork {
  let model: ModelConfiguration
  let costs: ScaleCosts
  /// Seconds of a step of the job, where there is one.
  let step: Double?
}

/// What `bench scale` found, as text and as JSON.
struct ScaleReport {
  /// What is forecast.
  struct Plan {
    let ranks: [Int]
    let links: [ScaleModel.Link]
    let bucketBytes: Int
    let dtype: ReduceDtype
    let overlaps: Bool
    let threads: Int
    /// Here, in place of given.
    let isMeasured: Bool
  }

  /// The ranks that measured together.
  struct Job {
    let ranks: Int
    let link: ScaleModel.Link
  }

  let plan: Plan
  private let job: Job?
  let networks: [Network]
  let forecasts: [Forecast]
  let turns: [Turn]
  let measured: [Measured]

  init(networks: [ScaleNetwork], plan: Plan, job: Job?) {
    self.plan = plan
    self.job = job
    self.networks = networks.map { Network($0) }
    func modelOf(_ network: ScaleNetwork, _ ranks: Int) -> ScaleModel {
      network.costs.model(
        ranks: ranks, bucketBytes: plan.bucketBytes, dtype: plan.dtype, overlaps: plan.overlaps)
    }
    forecasts = networks.flatMap { network in
      plan.ranks.flatMap { ranks in
        plan.links.map { link in
          let first = modelOf(networks[0], ranks).step(ranks: ranks, link)
          return Forecast(
            network.model.alpha, modelOf(network, ranks), ranks: ranks, link, first: first)
        }
      }
    }
    turns = networks.flatMap { network in
      plan.ranks.compactMap { ranks in
        plan.links.first.map { link in
          let model = modelOf(network, ranks)
          return Turn(
            alpha: network.model.alpha, ranks: ranks, balance: model.balance(ranks: ranks, link),
            good: model.leastBandwidth(ranks: ranks, link),
            halfGain: model.halfGain(over: modelOf(networks[0], ranks), ranks: ranks, link))
        }
      }
    }
    measured = networks.compactMap { network in
      guard let job, let seconds = network.step else { return nil }
      let model = network.costs.model(ranks: job.ranks, dtype: plan.dtype, overlaps: true)
      return Measured(network.model.alpha, seconds, model, job)
    }
  }

  // MARK: Rows

  struct Network: Encodable {
    let model: ModelConfiguration
    let images: Int
    let alone, forward, backward, update: Double
    /// By number of ranks.
    let handling: [String: Double]
    let gradientBytes, statisticsBytes: Int

    init(_ network: ScaleNetwork) {
      let (costs, work) = (network.costs, network.costs.work)
      model = network.model
      images = work.images
      (alone, forward) = (1e3 * work.alone, 1e3 * work.forward)
      (backward, update) = (1e3 * work.backward, 1e3 * work.update)
      handling = Dictionary(uniqueKeysWithValues: costs.handling.map { (String($0), 1e3 * $1) })
      gradientBytes = Int(costs.gradient.bytes)
      statisticsBytes = costs.statisticsBytes
    }

    enum CodingKeys: String, CodingKey {
      case model
      case images = "images_per_rank"
      case alone = "ms_alone"
      case forward = "ms_forward"
      case backward = "ms_backward"
      case update = "ms_update"
      case handling = "ms_handling"
      case gradientBytes = "gradient_bytes"
      case statisticsBytes = "statistics_bytes"
    }
  }

  struct Forecast: Encodable {
    let alpha: Double
    let ranks: Int
    let gigabits: Double
    let milliseconds, computation, gradient, statistics, messages: Double
    let imagesPerSecond, efficiency: Double
    /// Images a second, in those of the first network.
    let gain: Double
    let limit: ScaleStep.Limit
    /// Of a rank, with a good efficiency.
    let leastImages: Int?

    init(
      _ alpha: Double, _ model: ScaleModel, ranks: Int, _ link: ScaleModel.Link, first: ScaleStep
    ) {
      let step = model.step(ranks: ranks, link)
      self.alpha = alpha
      self.ranks = ranks
      gigabits = link.gigabits
      (milliseconds, computation) = (1e3 * step.seconds, 1e3 * step.computation)
      (gradient, statistics, messages) = (1e3 * step.gradient, 1e3 * step.statistics, 1e3 * step.messages)
      (imagesPerSecond, efficiency, limit) = (step.imagesPerSecond, step.efficiency, step.limit)
      gain = step.imagesPerSecond / first.imagesPerSecond
      leastImages = model.leastImages(ranks: ranks, link)
    }

    enum CodingKeys: String, CodingKey {
      case alpha, ranks, efficiency, gain, limit
      case gigabits = "gbit"
      case milliseconds = "ms"
      case computation = "ms_computation"
      case gradient = "ms_gradient"
      case statistics = "ms_statistics"
      case messages = "ms_messages"
      case imagesPerSecond = "images_per_second"
      case leastImages = "images_per_rank_for_90_percent"
    }
  }

  /// Gbit/s.
  struct Turn: Encodable {
    let alpha: Double
    let ranks: Int
    let balance, good, halfGain: Double?

    enum CodingKeys: String, CodingKey {
      case alpha, ranks
      case balance = "gbit_exchange_as_long_as_computation"
      case good = "gbit_for_90_percent"
      case halfGain = "gbit_half_gain"
    }
  }

  struct Measured: Encodable {
    let alpha: Double
    let ranks: Int
    let gigabits, latency: Double
    let milliseconds, modelled, imagesPerSecond, efficiency: Double
    /// Of the model from the measurement.
    let percent: Double

    init(_ alpha: Double, _ seconds: Double, _ model: ScaleModel, _ job: Job) {
      let step = model.step(ranks: job.ranks, job.link)
      self.alpha = alpha
      ranks = job.ranks
      (gigabits, latency) = (job.link.gigabits, 1e6 * job.link.latency)
      (milliseconds, modelled) = (1e3 * seconds, 1e3 * step.seconds)
      imagesPerSecond = Double(job.ranks * model.work.images) / seconds
      efficiency = model.work.alone / seconds
      percent = 100 * (step.seconds / seconds - 1)
    }

    enum CodingKeys: String, CodingKey {
      case alpha, ranks, efficiency
      case gigabits = "gbit"
      case latency = "latency_us"
      case milliseconds = "ms_measured"
      case modelled = "ms_modelled"
      case imagesPerSecond = "images_per_second"
      case percent = "difference_percent"
    }
  }
}

extension ScaleReport: Encodable {
  enum CodingKeys: String, CodingKey {
    case networks, forecasts, turns, measured, threads, overlap, messages
    case processor
    case instructionSet = "instruction_set"
    case latency = "latency_us"
    case bucketBytes = "bucket_bytes"
    case dtype = "reduce_dtype"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(networks, forKey: .networks)
    try container.encode(forecasts, forKey: .forecasts)
    try container.encode(turns, forKey: .turns)
    if job != nil { try container.encode(measured, forKey: .measured) }
    try container.encode(plan.threads, forKey: .threads)
    try container.encode(plan.overlaps, forKey: .overlap)
    try container.encode(plan.bucketBytes, forKey: .bucketBytes)
    try container.encode(plan.dtype, forKey: .dtype)
    try container.encodeIfPresent(plan.links.first?.messages, forKey: .messages)
    try container.encodeIfPresent(plan.links.first.map { 1e6 * $0.latency }, forKey: .latency)
    try container.encode(RunMachine.current.processor, forKey: .processor)
    try container.encode(KernelBenchmark.instructionSet, forKey: .instructionSet)
  }
}
