import ArgumentParser
import OctNet

/// Predictions for the images of a data set: several at once, read beside the network as evaluation reads them.
extension PredictCommand {
  /// - Returns: of each image that can be read, and whether some cannot.
  func predictions(
    of source: String, _ checkpoint: Checkpoint
  ) throws -> (results: [Prediction], hasFailures: Bool) {
    let named = try DataOptions.loadNamed(source, try reading(of: source, checkpoint))
    let (images, outputs) = (named.images, try network(of: checkpoint, for: named.images))
    guard let normalization = normalization.normalization ?? checkpoint.normalization else {
      throw missingNormalization
    }
    let names = try classNames(of: checkpoint, outputs: outputs.outputShape.channels)
    var evaluator = Evaluator(
      network: outputs, normalization: normalization, threads: threadOptions.count)
    evaluator.views = crops == .flip ? .two : .one
    evaluator.viewsPerImage = try CropsOption.count(crops, ofFiles: DataOptions.isFiles(source))
    var (results, hasFailures) = ([Prediction](), false)
    let bar = ProgressBar()
    defer { bar.erase() }
    func fail(_ problem: any Error) {
      bar.note("octcli: error: \(problem)")
      hasFailures = true
    }
    evaluator.onSkipped = { fail($0.problem) }
    StopSignals.deferFirst()
    try evaluator.logits(of: images) { done, total in
      bar.update(label: "predicting", done: done, total: total, fields: ["\(done)/\(total)"])
      guard StopSignals.isRequested, done < total else { return }
      bar.note("stopped: \(done) of \(numbered(total, "image")) predicted, nothing is printed")
      throw StopSignals.exitCode
    } _: { index, logits in
      let probabilities = softmax(logits.map(Double.init))
      guard probabilities.allSatisfy(\.isFinite) else {
        return fail(Self.notFinite(named.name(at: index)))
      }
      results.append(
        Prediction(
          image: named.name(at: index), label: named.label(at: index), probabilities: probabilities,
          names: names, count: topK))
    }
    return (results, hasFailures)
  }

  private func reading(of source: String, _ checkpoint: Checkpoint) throws -> ImageReading {
    let isFiles = DataOptions.isFiles(source)
    var reading = try ImageReading(
      source, as: checkpoint, path: self.checkpoint, size: imageSize, isForeign: foreign.model != nil,
      exifOrientation: exifOrientation, crop: crop, crops: crops)
    if reading.size == nil && isFiles { reading.size = foreign.usualImageSize }
    // Each that cannot be read gets a line.
    reading.skipsDamaged = isFiles || DataOptions.isPrepared(source)
    reading.workers = threadOptions.count
    return reading
  }

  private func network(of checkpoint: Checkpoint, for images: any Dataset) throws -> Network {
    let model = try foreign.model(
      of: checkpoint, path: self.checkpoint, classes: 1000, height: images.height, width: images.width,
      channels: images.channels)
    return try foreign.network(of: checkpoint, model, for: Checkpoint.Use.prediction)
  }

  /// Numbers where the checkpoint has none.
  private func classNames(of checkpoint: Checkpoint, outputs: Int) throws -> [String] {
    let names = checkpoint.classNames.isEmpty ? (0..<outputs).map { "class \($0)" } : checkpoint.classNames
    guard names.count == outputs else {
      throw OctNetError.file(
        path: self.checkpoint,
        "found \(numbered(names.count, "class name")), the network has \(numbered(outputs, "class", plural: "classes"))"
      )
    }
    return names
  }
}
