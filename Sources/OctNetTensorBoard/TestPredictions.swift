import Foundation
import OctNet

/// What the network says to one image.
struct Prediction: Equatable {
  var label: Int
  /// `nil` where the logits have no softmax: one is not a number, or the largest is infinite.
  var predicted: Int?
  /// Softmax of the logits at `predicted`, 0 without one.
  var probability: Double
}

/// A few images of a test set and what a network makes of them as it learns.
///
/// The images stay the same over a run: the first ones of as many classes as possible.
public final class TestPredictions {
  /// At most so many are taken.
  public static let imageCount = 8

  private let network: Network
  private let normalization: Normalization
  private let threads: Int
  let images: ImageSet

  /// - Parameters:
  ///   - dataset: the images.
  ///   - normalization: scaling of pixels, as in training.
  ///   - threads: OpenMP threads that it uses.
  ///   - network: read again by every prediction.
  ///   - limit: only from the first so many images.
  public init(
    network: Network, dataset: any Dataset, limit: Int? = nil, normalization: Normalization, threads: Int
  ) {
    self.network = network
    self.normalization = normalization
    self.threads = threads
    images = Self.selection(of: dataset, limit: limit)
  }

  /// Call it from the thread that trains: its OpenMP workers do this too.
  /// - Throws: `OctNetError` where the network, the images and their normalization do not fit each other.
  func callAsFunction() throws -> [Prediction] {
    try network.check(fits: images, normalization: normalization)
    let loader = BatchLoader(dataset: images, batchSize: Self.imageCount, normalization: normalization)
    // Its memory is only needed now and then, so it is not kept.
    let session = try InferenceSession(network: network, batchSize: Self.imageCount, threads: threads)
    var predictions: [Prediction] = []
    try loader.forEachBatch(epoch: 0) { batch in
      let logits = session.logits(images: batch.images, count: batch.count)
      let classes = logits.count / batch.count
      predictions += (0..<batch.count).map { image in
        Self.prediction(
          label: Int(batch.labels[image]), logits: Array(logits[image * classes..<(image + 1) * classes]))
      }
    }
    return predictions
  }

  /// Equal logits rank by index, as in an evaluation.
  static func prediction(label: Int, logits: [Float]) -> Prediction {
    guard let largest = logits.max(), largest.isFinite, !logits.contains(where: \.isNaN) else {
      return Prediction(label: label, predicted: nil, probability: 0)
    }
    let predicted = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
    let sum = logits.reduce(0.0) { $0 + exp(Double($1) - Double(largest)) }
    return Prediction(label: label, predicted: predicted, probability: 1 / sum)
  }

  /// The first image of every class, then the second ones, as far as `imageCount` goes; in the data set's order.
  private static func selection(of dataset: any Dataset, limit: Int?) -> ImageSet {
    var seen = [Int](repeating: 0, count: dataset.classNames.count)
    var candidates: [(round: Int, index: Int)] = []
    // Of images that have pixels, and one class each.
    let isShown = !dataset.hasFloatValues && dataset.targetSize == 0
    for index in 0..<(isShown ? min(dataset.count, limit ?? dataset.count) : 0) {
      let label = dataset.label(at: index)
      if seen[label] < imageCount { candidates.append((seen[label], index)) }
      seen[label] += 1
    }
    let indices = candidates.sorted { $0 < $1 }.prefix(imageCount).map(\.index).sorted()
    var pixels: [UInt8] = [], labels: [Int] = []
    var image = [UInt8](repeating: 0, count: dataset.imageSize)
    for index in indices {
      let isRead = image.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return false }
        // What cannot be read is told by the evaluation, which comes to it too.
        return (try? dataset.copyPixels(at: index, to: base)) != nil
      }
      guard isRead else { continue }
      pixels += image
      labels.append(dataset.label(at: index))
    }
    return ImageSet(
      name: dataset.name, height: dataset.height, width: dataset.width, channels: dataset.channels,
      classNames: dataset.classNames, pixels: pixels, labels: labels)
  }
}
