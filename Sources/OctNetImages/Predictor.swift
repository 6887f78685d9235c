#if Images
  import Foundation
  import OctNet

  /// A network and what it takes to show it images, one at a time. Call it from one thread.
  public final class Predictor {
    public let classNames: [String]
    /// Height and width of the images.
    public let size: Int
    private let session: InferenceSession
    private let normalization: Normalization

    /// - Parameters:
    ///   - network: its parameters are the predictor's from now on.
    ///   - classNames: where it is empty, classes are called by their number.
    /// - Throws: `OctNetError` for a network without logits, names or normalization that do not fit it.
    public init(network: Network, classNames: [String], normalization: Normalization, threads: Int) throws {
      let classes = network.outputShape.channels
      guard classNames.isEmpty || classNames.count == classes else {
        throw OctNetError.configuration(
          key: "class names", "found \(classNames.count), the network has \(classes) classes")
      }
      try normalization.validate(channels: network.inputShape.channels)
      self.classNames = classNames.isEmpty ? (0..<classes).map { "class \($0)" } : classNames
      self.normalization = normalization
      size = network.inputShape.height
      session = try InferenceSession(network: network, batchSize: 1, threads: threads, takesParameters: true)
    }

    /// Softmax of the logits, by class.
    /// - Precondition: the image is of the network's size.
    public func probabilities(of image: RGBImage) -> [Double] {
      precondition(image.width == size && image.height == size)
      let set = ImageSet(
        name: "image", height: size, width: size, channels: 3, classNames: ["image"], pixels: image.pixels,
        labels: [0])
      var logits: [Double] = []
      // The loader normalises as in training and evaluation.
      BatchLoader(dataset: set, batchSize: 1, normalization: normalization).forEachBatch(epoch: 0) { batch in
        logits = session.logits(images: batch.images, count: 1).map(Double.init)
      }
      let largest = logits.max() ?? 0
      let exponentials = logits.map { exp($0 - largest) }
      let sum = exponentials.reduce(0, +)
      return exponentials.map { $0 / sum }
    }
  }
#endif
