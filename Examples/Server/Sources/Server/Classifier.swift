import Foundation
import OctNet
import OctNetImages
import OctNetInference

/// A checkpoint that answers for images, whoever asks at once.
final class Classifier: Sendable {
  /// A class and its softmax.
  struct Score: Codable, Sendable {
    let name: String
    let probability: Double
  }

  private let service: InferenceService
  private let classNames: [String]
  private let normalization: Normalization
  private let preparation: Preparation

  /// - Throws: `OctNetError` for a file that is no checkpoint of OctNet's, or one of a network that takes no square images.
  init(checkpoint path: String, batchSize: Int, threads: Int, delay: Duration, queueLimit: Int) throws {
    let checkpoint = try Checkpoint(path: path)
    let network = try checkpoint.makeNetwork()
    let input = network.inputShape
    guard input.height == input.width, input.channels == 1 || input.channels == 3,
      let normalization = checkpoint.normalization
    else {
      throw OctNetError.file(
        path: path, "takes \(input); expected square images of 1 or 3 channels and their normalisation")
    }
    let classes = network.outputShape.channels
    let names = checkpoint.classNames
    classNames = names.count == classes ? names : (0..<classes).map { "class \($0)" }
    self.normalization = normalization
    // As the run saw its photographs.
    let images = checkpoint.trainingImages
    preparation = Preparation(
      size: input.height, channels: input.channels, appliesOrientation: images.exifOrientation ?? false,
      evaluation: try EvaluationSettings(images))
    let model = try InferenceModel(network, batchSize: batchSize, threads: threads)
    service = try InferenceService(model, maximumDelay: delay, queueLimit: queueLimit)
  }

  /// The likeliest classes of an image file, decoded on the caller's thread.
  /// - Throws: `OctNetError.file` for bytes that are no whole image, `InferenceService.Failure` where too many wait.
  func classify(_ bytes: [UInt8], top: Int) async throws -> [Score] {
    let image = try ImageFile(bytes: bytes).prepared(preparation)
    let logits = try await service.logits(images: normalization(image.pixels)).map(Double.init)
    let largest = logits.max() ?? 0
    let exponentials = logits.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return zip(classNames, exponentials).map { Score(name: $0, probability: $1 / sum) }
      .sorted { $0.probability > $1.probability }.prefix(top).map { $0 }
  }

  /// Serves who waits and takes nobody else.
  func shutdown() async { await service.shutdown() }
}
