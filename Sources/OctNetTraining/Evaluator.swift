import CKernels
import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Runs a network over a data set, in order, without augmentation.
public struct Evaluator {
  private let network: Network
  private let normalization: Normalization
  private let batchSize: Int
  private let threads: Int
  /// Whether nothing has counted yet what the process itself takes; a trainer has.
  var leavesHeadroom = true
  /// So many images of the data set, one after the other, show one image: their logits are averaged, and limits and results
  /// count them as one. For data with classes.
  public var viewsPerImage = 1
  /// Of data with targets in place of classes; that of classes is always the mean cross-entropy.
  public var loss: any Loss = CrossEntropy()

  /// Processes that evaluate the same images together, each a part of every batch; all get the whole result. Of targets in
  /// place of classes each evaluates all.
  var ranks: (any RankExchange)?
  /// Called with each image that is left out, as it cannot be read.
  public var onSkipped: (SkippedImage) -> Void = { _ in }
  /// Threads that read photographs; `nil` is as many as compute.
  public var workers: Int?

  /// Of each image, whose logits are averaged.
  public var views = TestViews.one

  /// The batch size decides about memory and speed; of results at most the last bits of logits and of the loss depend on it,
  /// where another number of images makes another algorithm the faster one.
  public init(network: Network, normalization: Normalization, batchSize: Int = 100, threads: Int) {
    self.network = network
    self.normalization = normalization
    self.batchSize = batchSize
    self.threads = threads
  }

  /// - Parameters:
  ///   - dataset: the images.
  ///   - limit: only the first so many images.
  ///   - path: a CSV file to write: a header and one row an image, `index,label,logit_0,…`, in the data set's
  ///     order; it appears when the evaluation is complete.
  ///   - onProgress: called after each batch with images done and images in all; an error that it throws ends the
  ///     evaluation and is passed on.
  /// - Throws: `OctNetError.configuration` where network and data do not fit, `OctNetError.file` for the predictions.
  public func evaluate(
    _ dataset: any Dataset, limit: Int? = nil, predictions path: String? = nil,
    onProgress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> EvaluationResult {
    try network.check(fits: dataset, normalization: normalization)
    precondition(viewsPerImage > 0 && dataset.count % viewsPerImage == 0, "\(viewsPerImage) views an image")
    guard dataset.targetSize == 0 else {
      guard viewsPerImage == 1 else {
        throw OctNetError.configuration(key: "views", "\"\(dataset.name)\" has targets, expected classes")
      }
      guard path == nil else {
        throw OctNetError.configuration(
          key: "predictions", "\"\(dataset.name)\" has targets, expected classes")
      }
      return try runTargets(dataset, limit: limit, onProgress: onProgress)
    }
    guard let path else { return try run(dataset, limit: limit, onProgress: onProgress) { _, _, _ in } }
    return try AtomicFile.write(to: path) { file in
      var writer = PredictionsWriter(file: file)
      try writer.writeHeader(classes: network.outputShape.channels)
      let result = try run(dataset, limit: limit, onProgress: onProgress) { index, label, logits in
        try writer.write(index: index, label: label, logits: logits)
      }
      try writer.flush()
      return result
    }
  }

  /// The logits of every image, in the data set's order, whatever classes the data set has: nothing is scored.
  ///
  /// - Parameters:
  ///   - dataset: the images.
  ///   - onProgress: as that of `evaluate`.
  ///   - body: is called with each image's number and its logits.
  /// - Throws: as `evaluate`, and what `body` throws.
  public func logits(
    of dataset: any Dataset, onProgress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in },
    _ body: (_ index: Int, _ logits: UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let images = dataset.unscored(classNames: (0..<network.outputShape.channels).map { "class \($0)" })
    try network.check(fits: images, normalization: normalization)
    precondition(viewsPerImage > 0 && dataset.count % viewsPerImage == 0, "\(viewsPerImage) views an image")
    guard dataset.targetSize == 0 else {
      throw OctNetError.configuration(
        key: "predictions", "\"\(dataset.name)\" has targets, expected classes")
    }
    _ = try run(images, limit: nil, onProgress: onProgress) { index, _, logits in try body(index, logits) }
  }

  /// Sees that all ranks can read a batch.
  private func goOn(_ problem: OctNetError?) throws {
    if let ranks { try ranks.goOn(problem) } else if let problem { throw problem }
  }

  /// About what an evaluation takes for a while in the middle of a training.
  static func bytes(network: Network, dataset: any Dataset, batchSize: Int, sampleCount: Int) -> Int {
    let logits = batchSize * (network.outputShape.channels + 1) * MemoryLayout<Float>.stride
    // Transformed weights are 16/9 of the weights.
    let weights = 2 * network.parameters.count * MemoryLayout<Float>.stride
    return BatchLoader.bytes(of: dataset, batchSize: batchSize, sampleCount: sampleCount) + logits + weights
      + InferenceSession.mapBytesOfAPass
  }

  /// The mean of each image's logits, in the order of its views.
  private static func average(
    _ logits: UnsafeBufferPointer<Float>, views: Int, classes: Int,
    into result: UnsafeMutableBufferPointer<Float>
  ) {
    for image in 0..<logits.count / (views * classes) {
      for label in 0..<classes {
        var sum = 0.0
        for view in 0..<views { sum += Double(logits[(image * views + view) * classes + label]) }
        result[image * classes + label] = Float(sum / Double(views))
      }
    }
  }

  private func run(
    _ dataset: any Dataset, limit: Int?, onProgress: (Int, Int) throws -> Void,
    _ body: (_ index: Int, _ label: Int, _ logits: UnsafeBufferPointer<Float>) throws -> Void
  ) throws -> EvaluationResult {
    try views.check(fits: network.inputShape)
    let perImage = viewsPerImage
    let total = min(dataset.count / perImage, limit ?? dataset.count / perImage)
    let sampleCount = total * perImage
    // All images that show one are in one batch.
    let batchSize = max(perImage, batchSize / perImage * perImage)
    let headroom = leavesHeadroom ? MemoryDemand.headroom() : 0
    precondition(ranks == nil || perImage == 1, "several images that show one are not divided")
    let ranks = self.ranks
    let passSize = ranks.map { (batchSize + $0.ranks - 1) / $0.ranks } ?? batchSize
    let session = try InferenceSession(
      network: network, batchSize: passSize, wholeBatch: batchSize, threads: threads
    ) { pass in
      let batch = pass * (ranks?.ranks ?? 1)
      return headroom
        + BatchLoader.bytes(of: dataset, batchSize: batch, sampleCount: sampleCount)
        + batch * MemoryLayout<Float>.stride + viewBytes(dataset, batch)
    }
    let loader = BatchLoader(
      dataset: dataset, batchSize: batchSize, normalization: normalization, augmentation: .none,
      shuffleSeed: nil, limit: sampleCount, workers: workers ?? threads,
      needed: ranks.map(RankPart.needed))
    let classes = network.outputShape.channels
    // Of pairs of classes, and once more where the result is made.
    try MemoryDemand.check(
      2 * classes * classes * MemoryLayout<Int>.stride,
      for: "the confusions of \(numbered(classes, "class", plural: "classes"))",
      key: "classes")
    var sums = EvaluationSums(classes: classes)
    var losses = [Float](repeating: 0, count: batchSize)
    let averages = UnsafeMutableBufferPointer<Float>.allocate(
      capacity: perImage == 1 ? 0 : batchSize / perImage * classes)
    defer { averages.deallocate() }
    var done = 0
    let averaging = views == .one ? nil : ViewAverage(views, session, network, batchSize: passSize)
    let gathering = ranks.map { GatheredLogits($0, classes: classes, passSize: passSize) }
    func logits(_ images: UnsafePointer<Float>, _ count: Int) -> UnsafeBufferPointer<Float> {
      averaging?.logits(images: images, count: count, threads: threads)
        ?? session.logits(images: images, count: count)
    }
    var skipped: Set<Int> = []
    // All views of an image are left out together.
    let skip = { (image: SkippedImage) in
      if skipped.insert(image.sample / perImage).inserted { onSkipped(image) }
    }
    try loader.forEachBatch(epoch: 0, onSkipped: skip, onReady: goOn) { batch in
      let found =
        gathering?.logits(count: batch.count) { logits(batch.images(from: $0.lowerBound), $0.count) }
        ?? logits(batch.images, batch.count)
      let count = batch.count / perImage
      if perImage > 1 { Self.average(found, views: perImage, classes: classes, into: averages) }
      let labels = (0..<count).map { batch.labels[$0 * perImage] }
      let logits = perImage == 1 ? found : UnsafeBufferPointer(averages)
      let status = oct_softmax_cross_entropy(
        count, classes, logits.baseAddress, labels, nil, 1, 0, 1, &losses, nil, Int32(threads))
      precondition(status == OCT_OK, "sizes the loss kernel refuses")
      for image in 0..<count {
        let row = UnsafeBufferPointer(rebasing: logits[image * classes..<(image + 1) * classes])
        let label = Int(labels[image])
        sums.add(logits: row, label: label, loss: losses[image])
        try body(batch.samples[image * perImage] / perImage, label, row)
      }
      done += count
      try onProgress(done + skipped.count, total)
    }
    guard done > 0 || total == 0 else {
      throw OctNetError.configuration(
        key: "data", "not one of \(numbered(total, "image")) of \"\(dataset.name)\" can be read")
    }
    return sums.result(classNames: dataset.classNames)
  }
}

extension Evaluator {
  /// What a batch's views take.
  private func viewBytes(_ dataset: any Dataset, _ batch: Int) -> Int {
    views == .one
      ? 0 : batch * (dataset.imageSize + network.outputShape.channels) * MemoryLayout<Float>.stride
  }

  /// Where images have targets in place of a class: the loss, and the share of right predictions where it has such.
  private func runTargets(
    _ dataset: any Dataset, limit: Int?, onProgress: (Int, Int) throws -> Void
  ) throws -> EvaluationResult {
    guard views == .one else {
      throw OctNetError.configuration(
        key: "views", "several views are for images with a class, \"\(dataset.name)\" has targets")
    }
    let targets = try loss.targets(for: network.outputs)
    guard targets.values == dataset.targetSize, targets.labels == 0 else {
      throw OctNetError.configuration(
        key: "data",
        "\"\(dataset.name)\" has targets of \(numbered(dataset.targetSize, "number")), the loss takes "
          + numbered(targets.values, "number"))
    }
    let total = min(dataset.count, limit ?? dataset.count)
    let session = try InferenceSession(network: network, batchSize: batchSize, threads: threads) { batch in
      BatchLoader.bytes(of: dataset, batchSize: batch, sampleCount: total)
    }
    let loader = BatchLoader(
      dataset: dataset, batchSize: batchSize, normalization: normalization, augmentation: .none,
      shuffleSeed: nil, limit: limit, workers: workers ?? threads)
    var sum = LossValue(sum: 0)
    var done = 0
    try loader.forEachBatch(epoch: 0, onSkipped: onSkipped, onReady: goOn) { batch in
      let pixels = UnsafeBufferPointer(start: batch.images, count: batch.count * dataset.imageSize)
      let value = try session.withOutputs(images: pixels) { outputs in
        let pointers = TargetPointers(batch)
        return loss.evaluate(
          LossContext(
            count: batch.count, threads: threads, scale: 1, labels: pointers.labels, values: pointers.values,
            mixed: nil,
            outputs: outputs, gradients: outputs.map { _ in nil }, descriptions: network.outputs))
      }
      sum.sum += value.sum
      sum.correct += value.correct
      sum.predictions += value.predictions
      done += batch.count
      try onProgress(done, total)
    }
    let right = sum.predictions == 0 ? 0 : Double(sum.correct) / Double(sum.predictions)
    return EvaluationResult(
      images: done, top1: right, top5: right, loss: sum.sum / Double(max(1, done)), classNames: [],
      perClassAccuracy: [], confusion: [])
  }
}

extension Network {
  /// - Throws: `OctNetError.configuration` where images, classes or channels are not what the network was built for.
  package func check(fits dataset: any Dataset, normalization: Normalization) throws(OctNetError) {
    let found = MapShape(height: dataset.height, width: dataset.width, channels: dataset.channels)
    guard found == inputShape else {
      throw OctNetError.configuration(
        key: "data", "images of \"\(dataset.name)\" are \(found), the network expects \(inputShape)")
    }
    guard dataset.targetSize == 0 else {
      try normalization.validate(channels: dataset.channels)
      return
    }
    guard outputShape.pixels == 1 else {
      throw OctNetError.configuration(
        key: "data",
        "\"\(dataset.name)\" has a class for each image, the network's output is a map of \(outputShape), expected "
          + "1×1×classes: end with GlobalAvgPool and Linear")
    }
    guard dataset.classNames.count == outputShape.channels else {
      throw OctNetError.configuration(
        key: "data",
        "\"\(dataset.name)\" has \(numbered(dataset.classNames.count, "class", plural: "classes")), the network \(outputShape.channels)"
      )
    }
    try normalization.validate(channels: dataset.channels)
  }
}
