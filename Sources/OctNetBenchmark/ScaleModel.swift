import OctNetTraining

/// What a step takes where ranks compute a part of the batch each and exchange the gradient: a cost model.
///
/// A rank computes forward, backward, and what it copies, adds and updates for the exchange: C seconds together. Of P parameters
/// as float32 every rank sends, and receives, in buckets of b bytes, twice (R − 1)/R · b: its sums to the others, then its slice
/// of the weights. So a bucket takes 2 · ((R − 1)/R · b / bandwidth + m · latency), where m counts the messages that follow
/// one another (`Messages`); sums in bfloat16 are half as many bytes. Statistics of norms, which go along with the first one, are as many more of its bytes. Before the
/// last backward pass the ranks tell each other their losses, which all wait for, and after the step who was asked to stop:
/// few bytes, that any MPI sends in log₂ R messages.
///
/// Without overlap the step takes C and all of that. With overlap a bucket leaves as soon as backward has come to its first
/// layer and the bucket before it has arrived, the last layers' first: the step ends with the computation or with the last
/// bucket, whatever is later. Nothing waits for anything else: ranks are equally fast, and links do not share their bandwidth.
package struct ScaleModel: Sendable {
  /// What one rank computes in a step, in seconds.
  package struct Work: Codable, Equatable, Sendable {
    /// Of a rank's batch.
    package var images: Int
    /// From the images to the loss, and back to all gradients.
    package var forward, backward: Double
    /// What the update adds to the step of a process that trains alone.
    package var update: Double
    /// What copies, additions and a rank's part of the update add to the step of one among several.
    package var handling: Double

    package init(images: Int, forward: Double, backward: Double, update: Double = 0, handling: Double = 0) {
      self.images = images
      self.forward = forward
      self.backward = backward
      self.update = update
      self.handling = handling
    }

    /// Seconds of a step of a process alone.
    package var alone: Double { forward + backward + update }
    /// Seconds that a rank among several computes.
    package var amongRanks: Double { forward + backward + handling }

    /// The same with a batch of another size, to which forward and backward are proportional.
    func scaled(images: Int) -> Work {
      let factor = Double(images) / Double(self.images)
      return Work(
        images: images, forward: forward * factor, backward: backward * factor, update: update,
        handling: handling)
    }
  }

  /// How a rank's messages of one exchange follow one another.
  package enum Messages: String, Codable, CaseIterable, Sendable {
    /// With each other rank in turn, R − 1 of them: the worst that MPI does.
    case pairwise
    /// With ranks at distances that double, log₂ R of them with as many bytes together, by a reduction in MPI's place.
    case recursive
    /// With all others at once, which wait for one latency together: the best that it does.
    case concurrent

    func count(ranks: Int) -> Int {
      switch self {
      case .pairwise: ranks - 1
      case .recursive: ranks.bitWidth - (ranks - 1).leadingZeroBitCount
      case .concurrent: min(1, ranks - 1)
      }
    }
  }

  /// What lies between two ranks.
  package struct Link: Equatable, Sendable {
    /// 10⁹ bits a second, in each direction at once.
    package var gigabits: Double
    /// Seconds of a message without its bytes.
    package var latency: Double
    package var messages: Messages

    package init(gigabits: Double, latency: Double, messages: Messages = .pairwise) {
      self.gigabits = gigabits
      self.latency = latency
      self.messages = messages
    }

    var bytesPerSecond: Double { gigabits * 1e9 / 8 }
  }

  package var work: Work
  package var gradient: GradientOrder
  /// Bytes of a bucket, at most.
  package var bucketBytes: Int
  /// That each rank tells every other one of its shard's loss.
  package var recordBytes: Int
  /// Of norms' statistics, of which each rank has one shard's.
  package var statisticsBytes: Int
  /// Numbers of the sums that ranks send.
  package var dtype: ReduceDtype
  /// Whether buckets leave during backward.
  package var overlaps: Bool

  /// Buckets as the exchange has them.
  package static let usualBucketBytes = RankStep.usualBucketBytes

  package init(
    work: Work, gradient: GradientOrder, bucketBytes: Int = usualBucketBytes, recordBytes: Int = 0,
    statisticsBytes: Int = 0, dtype: ReduceDtype = .float32, overlaps: Bool
  ) {
    precondition(bucketBytes > 0)
    self.work = work
    self.gradient = gradient
    self.bucketBytes = bucketBytes
    self.recordBytes = recordBytes
    self.statisticsBytes = statisticsBytes
    self.dtype = dtype
    self.overlaps = overlaps
  }

  /// Of what is there as float32: of the sums on their way to a slice's rank, and of the weights on their way from it.
  private var bytesOnBothWays: Double {
    Double(dtype.size) / Double(ReduceDtype.float32.size) + 1
  }

  /// - Precondition: `ranks` is positive.
  package func step(ranks: Int, _ link: Link) -> ScaleStep {
    precondition(ranks > 0)
    guard ranks > 1 else { return ScaleStep(ranks: 1, work: work, computation: work.alone) }
    let messages = Double(link.messages.count(ranks: ranks))
    let computation = work.amongRanks
    // Those that nothing hides: losses, and who was asked to stop.
    let short = Double(Messages.recursive.count(ranks: ranks)) * link.latency
    let exposed = Exchange(
      statistics: Double((ranks - 1) * recordBytes) / link.bytesPerSecond, messages: 2 * short)
    let records = exposed.statistics + short
    var time = Exchange()
    let share = Double(ranks - 1) / Double(ranks)
    // Of the lane of the bytes; the computation's ends with what the last bucket asks for.
    var end = work.forward + records
    var handled = 0.0
    for (index, bucket) in gradient.buckets(of: bucketBytes).enumerated() {
      let bytes = bytesOnBothWays * share * bucket.bytes / link.bytesPerSecond
      let along = index == 0 ? 2 * share * Double(statisticsBytes) / link.bytesPerSecond : 0
      let waiting = 2 * messages * link.latency
      time.gradient += bytes
      time.statistics += along
      time.messages += waiting
      let ready =
        overlaps
        ? work.forward + records + work.backward * bucket.ready + handled : computation + records
      end = max(end, ready) + bytes + along + waiting
      handled += work.handling * bucket.bytes / gradient.bytes
      if overlaps && bucket.isLast { end += work.handling * bucket.bytes / gradient.bytes }
    }
    let seconds = max(computation + records, end) + short
    return ScaleStep(
      ranks: ranks, work: work, computation: computation, exposed: exposed, exchange: time,
      waits: seconds - computation)
  }

  /// Bytes that a rank sends in a step, and receives.
  package func bytes(ranks: Int) -> Double {
    Double(ranks - 1) / Double(ranks)
      * (bytesOnBothWays * gradient.bytes + 2 * Double(statisticsBytes))
      + Double((ranks - 1) * recordBytes)
  }

  /// Seconds of an exchange if it were alone.
  struct Exchange: Equatable, Sendable {
    /// By the bytes of the gradient, by those of statistics and losses, and by messages.
    var gradient = 0.0, statistics = 0.0, messages = 0.0
    var seconds: Double { gradient + statistics + messages }
  }
}

/// A step on some ranks, in seconds.
package struct ScaleStep: Equatable, Sendable {
  /// What costs most of what is missing to the images a second of processes that need not know of each other.
  package enum Limit: String, Codable, Sendable {
    case computation, bandwidth, latency
  }

  package let ranks: Int
  package let seconds: Double
  /// That each rank computes.
  package let computation: Double
  /// That it waits beside for bytes of the gradient, for those of norms' statistics and losses, and for messages.
  package let gradient, statistics, messages: Double
  /// If it had been alone.
  package let exchange: Double
  /// Of all ranks together.
  package let imagesPerSecond: Double
  /// Of so many processes that need not know of each other.
  package let efficiency: Double
  /// Beyond a step alone.
  private let moreComputation: Double

  init(
    ranks: Int, work: ScaleModel.Work, computation: Double, exposed: ScaleModel.Exchange = .init(),
    exchange: ScaleModel.Exchange = .init(), waits: Double = 0
  ) {
    self.ranks = ranks
    self.computation = computation
    self.exchange = exposed.seconds + exchange.seconds
    seconds = computation + waits
    // Of the rest, what is hidden is divided as its time is.
    let share = exchange.seconds > 0 ? (waits - exposed.seconds) / exchange.seconds : 0
    gradient = share * exchange.gradient
    statistics = exposed.statistics + share * exchange.statistics
    messages = exposed.messages + share * exchange.messages
    imagesPerSecond = Double(ranks * work.images) / seconds
    efficiency = work.alone / seconds
    moreComputation = computation - work.alone
  }

  /// Computation where the efficiency is good.
  package var limit: Limit {
    let bandwidth = gradient + statistics
    guard efficiency < ScaleModel.goodEfficiency, max(bandwidth, messages) > moreComputation else {
      return .computation
    }
    return bandwidth >= messages ? .bandwidth : .latency
  }
}
