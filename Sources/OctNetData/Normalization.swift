import OctNetSupport
import OctNetCore

extension Normalization {
  /// Mean and standard deviation of every pixel of `dataset`. A channel of one colour gets std 1.
  public init(measuring dataset: ImageSet) {
    let histogram = PixelHistogram(dataset)
    for index in 0..<dataset.count { histogram.add { dataset.copyPixels(at: index, to: $0) } }
    self = histogram.normalization
  }

  /// The same of any data set, in two passes where it has floats.
  ///
  /// Of photographs (`Dataset.hasPhotographs`), which would all have to be read, no more than `photographs` are looked at:
  /// which ones follows from their number alone. What cannot be read counts for nothing where the data set skips it.
  /// - Throws: `OctNetError` for an image that cannot be read.
  public init(measuring dataset: any Dataset, photographs: Int = 2048) throws(OctNetError) {
    try self.init(measuring: dataset, most: dataset.hasPhotographs ? photographs : .max)
  }

  /// Of files, no more than usual, also where they have been read and are kept as something else.
  package init(measuringFiles dataset: any Dataset) throws(OctNetError) {
    try self.init(measuring: dataset, most: 2048)
  }

  private init(measuring dataset: any Dataset, most: Int) throws(OctNetError) {
    guard !dataset.hasFloatValues else {
      try self.init(measuringFloats: dataset)
      return
    }
    var indices = Array(0..<dataset.count)
    if indices.count > most {
      var random = RandomStream(seed: 0, "normalization", dataset.count)
      for place in 0..<most {
        indices.swapAt(place, place + random.index(below: indices.count - place))
      }
      indices = Array(indices.prefix(most))
    }
    let histogram = PixelHistogram(dataset)
    for index in indices {
      do throws(OctNetError) {
        try histogram.add { (pixels) throws(OctNetError) in try dataset.copyPixels(at: index, to: pixels) }
      } catch {
        guard dataset.skipsDamaged else { throw error }
      }
    }
    self = histogram.normalization
  }

  /// Where images are floats.
  private init(measuringFloats dataset: any Dataset) throws(OctNetError) {
    let channels = dataset.channels
    let total = Double(max(1, dataset.count * dataset.height * dataset.width))
    func average(_ term: (_ value: Double, _ channel: Int) -> Double) throws(OctNetError) -> [Double] {
      var sums = [Double](repeating: 0, count: channels)
      let image = UnsafeMutablePointer<Float>.allocate(capacity: dataset.imageSize)
      defer { image.deallocate() }
      for index in 0..<dataset.count {
        try dataset.copyValues(at: index, to: image)
        for place in 0..<dataset.imageSize {
          sums[place % channels] += term(Double(image[place]), place % channels)
        }
      }
      return sums.map { $0 / total }
    }
    let mean = try average { value, _ in value }
    let variance = try average { value, channel in (value - mean[channel]) * (value - mean[channel]) }
    self.init(mean: mean.map { Float($0) }, std: variance.map { $0 > 0 ? Float($0.squareRoot()) : 1 })
  }
}

/// How often every byte is there in each channel: counting is exact in any order, sums of floats would not be.
private final class PixelHistogram {
  private let channels, pixels: Int
  private var counts: [Int]
  private var image: [UInt8]

  init(_ dataset: any Dataset) {
    channels = dataset.channels
    pixels = dataset.height * dataset.width
    counts = [Int](repeating: 0, count: 256 * channels)
    image = [UInt8](repeating: 0, count: dataset.imageSize)
  }

  /// Counts the image that `copy` writes.
  func add<Failure>(
    _ copy: (UnsafeMutablePointer<UInt8>) throws(Failure) -> Void
  ) throws(Failure) {
    let (channels, pixels) = (channels, pixels)
    try image.withUnsafeMutableBufferPointer { image throws(Failure) in
      guard let first = image.baseAddress else { return }
      try copy(first)
      counts.withUnsafeMutableBufferPointer {
        guard let counts = $0.baseAddress else { return }
        var byte = first
        var pixel = 0
        while pixel < pixels {
          var channel = 0
          while channel < channels {
            counts[channel &<< 8 &+ Int(byte.pointee)] &+= 1
            byte += 1
            channel &+= 1
          }
          pixel &+= 1
        }
      }
    }
  }

  var normalization: Normalization {
    var mean: [Float] = []
    var std: [Float] = []
    for channel in 0..<channels {
      let counts = counts[256 * channel..<256 * (channel + 1)]
      let total = Double(max(1, counts.reduce(0, +)))
      let average = zip(0..., counts).reduce(0.0) { $0 + Double($1.0 * $1.1) } / total / 255
      let variance =
        zip(0..., counts).reduce(0.0) { sum, entry in
          let distance = Double(entry.0) / 255 - average
          return sum + distance * distance * Double(entry.1)
        } / total
      mean.append(Float(average))
      std.append(variance > 0 ? Float(variance.squareRoot()) : 1)
    }
    return Normalization(mean: mean, std: std)
  }
}
