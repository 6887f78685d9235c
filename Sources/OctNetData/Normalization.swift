import OctNetSupport
import OctNetCore

extension Normalization {
  /// Mean and standard deviation of every pixel of `dataset`. A channel of one colour gets std 1.
  public init(measuring dataset: any Dataset) {
    guard !dataset.hasFloatValues else {
      self.init(measuringFloats: dataset)
      return
    }
    let channels = dataset.channels
    // Counting bytes is exact in any order; sums of floats would not be.
    var histogram = [Int](repeating: 0, count: 256 * channels)
    var image = [UInt8](repeating: 0, count: dataset.imageSize)
    let pixels = dataset.height * dataset.width
    histogram.withUnsafeMutableBufferPointer { histogram in
      image.withUnsafeMutableBufferPointer { image in
        guard let counts = histogram.baseAddress, var byte = image.baseAddress else { return }
        let first = byte
        for index in 0..<dataset.count {
          dataset.copyPixels(at: index, to: first)
          byte = first
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

    var mean: [Float] = []
    var std: [Float] = []
    for channel in 0..<channels {
      let counts = histogram[256 * channel..<256 * (channel + 1)]
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
    self.init(mean: mean, std: std)
  }

  /// The same where images are floats, in two passes.
  private init(measuringFloats dataset: any Dataset) {
    let channels = dataset.channels
    var image = [Float](repeating: 0, count: dataset.imageSize)
    let total = Double(max(1, dataset.count * dataset.height * dataset.width))
    func average(_ term: (_ value: Double, _ channel: Int) -> Double) -> [Double] {
      var sums = [Double](repeating: 0, count: channels)
      for index in 0..<dataset.count {
        image.withUnsafeMutableBufferPointer { buffer in
          if let base = buffer.baseAddress { dataset.copyValues(at: index, to: base) }
        }
        for (place, value) in image.enumerated() {
          sums[place % channels] += term(Double(value), place % channels)
        }
      }
      return sums.map { $0 / total }
    }
    let mean = average { value, _ in value }
    let variance = average { value, channel in (value - mean[channel]) * (value - mean[channel]) }
    self.init(mean: mean.map { Float($0) }, std: variance.map { $0 > 0 ? Float($0.squareRoot()) : 1 })
  }
}
