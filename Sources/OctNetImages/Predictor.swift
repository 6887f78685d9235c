#if Images
  import CTransforms
  import OctNet

  /// A network and what it takes to show it images, one at a time. Call it from one thread.
  public final class Predictor {
    /// By number of the class.
    public let classNames: [String]
    /// Height and width of the images.
    public let size: Int
    /// 3 for RGB, 1 for gray.
    public let channels: Int
    private let session: InferenceSession
    /// What each byte of a channel becomes.
    private let table: [Float]

    /// - Parameters:
    ///   - normalization: scaling of pixels, as in training.
    ///   - threads: OpenMP threads that it uses.
    ///   - network: its parameters are the predictor's from now on.
    ///   - classNames: where it is empty, classes are called by their number.
    /// - Throws: `OctNetError` for a network without logits or with other inputs than square RGB or gray images, names or
    ///   normalization that do not fit it.
    public init(network: sending Network, classNames: [String], normalization: Normalization, threads: Int)
      throws
    {
      let classes = network.outputShape.channels
      guard classNames.isEmpty || classNames.count == classes else {
        throw OctNetError.configuration(
          key: "class names",
          "found \(classNames.count), the network has \(numbered(classes, "class", plural: "classes"))")
      }
      guard network.outputShape.pixels == 1 else {
        throw OctNetError.configuration(
          key: "network", "gives a map of \(network.outputShape), expected 1×1×classes")
      }
      let input = network.inputShape
      guard input.height == input.width, input.channels == 1 || input.channels == 3 else {
        throw OctNetError.configuration(
          key: "network", "takes \(input), expected square images of 3 channels (RGB) or 1 (gray)")
      }
      try normalization.validate(channels: network.inputShape.channels)
      self.classNames = classNames.isEmpty ? (0..<classes).map { "class \($0)" } : classNames
      table = normalization.table()
      size = network.inputShape.height
      channels = network.inputShape.channels
      session = try InferenceSession(InferenceModel(network, batchSize: 1, threads: threads))
    }

    /// Softmax of the logits, by class.
    /// - Precondition: the image has the network's size and channels.
    public func probabilities(of image: RasterImage) -> [Double] { probabilities(ofViews: [image]) }

    /// Softmax of the logits' mean over several views of one image, by class.
    /// - Precondition: there is one, and all have the network's size and channels.
    public func probabilities(ofViews views: [RasterImage]) -> [Double] {
      precondition(!views.isEmpty, "an image without views")
      var logits: [Double] = []
      for view in views {
        let found = self.logits(of: view)
        logits = logits.isEmpty ? found : zip(logits, found).map(+)
      }
      if views.count > 1 { logits = logits.map { $0 / Double(views.count) } }
      return softmax(logits)
    }

    private func logits(of image: RasterImage) -> [Double] {
      precondition(image.width == size && image.height == size && image.channels == channels)
      var values = [Float](repeating: 0, count: image.pixels.count)
      oct_pixels_to_floats(size * size, Int32(channels), image.pixels, table, &values)
      return session.logits(images: values, count: 1).map(Double.init)
    }
  }
#endif
