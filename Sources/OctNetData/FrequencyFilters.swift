import OctNetCore
import OctNetSupport

/// Filters that take one octave's information away, to see what a network can do without it.
extension ImageSet {
  /// Every 2 × 2 block replaced by its mean: exactly what reaches the low-frequency maps of an octave network.
  /// Blocks at an odd border average the pixels that are inside.
  public func lowFrequenciesOnly() -> ImageSet {
    filtered(suffix: "low") { source, destination in
      for top in stride(from: 0, to: height, by: 2) {
        for left in stride(from: 0, to: width, by: 2) {
          let rows = min(2, height - top)
          let columns = min(2, width - left)
          for channel in 0..<channels {
            let corner = (top * width + left) * channels + channel
            let right = columns == 2 ? channels : 0
            let below = rows == 2 ? width * channels : 0
            // At an odd border both pixels of a direction are the same one, which leaves the mean as it is.
            let sum =
              Int(source[corner]) + Int(source[corner + right]) + Int(source[corner + below])
              + Int(source[corner + right + below])
            let mean = UInt8((sum + 2) / 4)
            destination[corner] = mean
            destination[corner + right] = mean
            destination[corner + below] = mean
            destination[corner + right + below] = mean
          }
        }
      }
    }
  }

  /// Every pixel's difference from its surroundings' mean, around mid-grey.
  ///
  /// The surroundings are 5 × 5 binomial weights, (1 4 6 4 1) / 16 in both directions, and the step is done twice:
  /// (1 − B)² keeps patterns of period 2 as they are and leaves 0.04 % of one period over 32 pixels. Once would
  /// leave 2 %, and a network finds that. Images are continued periodically, as the synthetic ones are.
  public func highFrequenciesOnly() -> ImageSet {
    let size = imageSize
    var image = [Float](repeating: 0, count: size)
    var across = image
    var mean = image
    return filtered(suffix: "high") { source, destination in
      for index in 0..<size { image[index] = Float(source[index]) }
      for _ in 0..<2 {
        smooth(image, into: &across, count: width, step: channels)
        smooth(across, into: &mean, count: height, step: width * channels)
        for index in 0..<size { image[index] -= mean[index] }
      }
      for index in 0..<size {
        destination[index] = UInt8(max(0, min(255, (image[index] + 128).rounded())))
      }
    }
  }

  /// Binomial smoothing along the axis of `count` elements that lie `step` apart.
  private func smooth(_ source: [Float], into destination: inout [Float], count: Int, step: Int) {
    source.withUnsafeBufferPointer { source in
      destination.withUnsafeMutableBufferPointer { destination in
        guard let source = source.baseAddress, let destination = destination.baseAddress else { return }
        let line = count * step
        var start = 0
        while start < imageSize {
          var position = 0
          while position < count {
            let center = start &+ position &* step
            // Distances to the neighbours, around the corner at the ends.
            let next = (position &+ 1) % count &* step &- position &* step
            let next2 = (position &+ 2) % count &* step &- position &* step
            let last = (position &+ count &- 1) % count &* step &- position &* step
            let last2 = (position &+ 2 &* count &- 2) % count &* step &- position &* step
            var inner = 0
            while inner < step {
              let at = center &+ inner
              let sides = source[at &+ last] + source[at &+ next]
              let ends = source[at &+ last2] + source[at &+ next2]
              destination[at] = (6 * source[at] + 4 * sides + ends) / 16
              inner &+= 1
            }
            position &+= 1
          }
          start &+= line
        }
      }
    }
  }

  private func filtered(
    suffix: String, _ filter: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
  ) -> ImageSet {
    let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { destination, initialized in
      pixels.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress, let destination = destination.baseAddress else { return }
        for index in 0..<count { filter(source + index * imageSize, destination + index * imageSize) }
        initialized = pixels.count
      }
    }
    return ImageSet(
      name: "\(name) (\(suffix) frequencies)", height: height, width: width, channels: channels,
      classNames: classNames, pixels: result, labels: labels)
  }
}
