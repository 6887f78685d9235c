import Foundation
import OctNetCore
import OctNetSupport

/// Generated 32 × 32 RGB images of ten classes, for trying and testing without a download.
///
/// A class is a *pair* of a coarse layout (one period or two over the image) and a fine texture (period 2). Every
/// layout and every texture occurs in several classes, so an ideal observer of the layouts alone is right in 25 % of
/// the images, and of the textures alone in 20 %. Colours, contrasts, positions, polarity and noise are random and
/// say nothing.
///
/// All components are periodic over the image, so that `lowFrequenciesOnly()` and `highFrequenciesOnly()` separate
/// them without leaks at the border.
public struct SyntheticImages: Sendable {
  /// Which part of the spectrum is left.
  public enum Frequencies: String, Sendable {
    /// Images as they are; with nothing but their coarse structure; with nothing but their fine one.
    case all, low, high
  }

  /// Rows and columns.
  public static let side = 32
  /// Ten.
  public static let classCount = 10
  static let layoutCount = 5
  static let textureCount = 4

  /// Everything follows from it.
  public var seed: UInt64
  /// Images to learn from.
  public var trainCount: Int
  /// Images to be measured on.
  public var testCount: Int

  /// Nothing is drawn before `split`.
  public init(seed: UInt64 = 1, trainCount: Int = 5_000, testCount: Int = 1_000) {
    self.seed = seed
    self.trainCount = trainCount
    self.testCount = testCount
  }

  /// - Parameter frequencies: what is left of the images.
  public func split(frequencies: Frequencies = .all) -> DataSplit {
    let sets = [images("train", count: trainCount), images("test", count: testCount)].map { images in
      switch frequencies {
      case .all: images
      case .low: images.lowFrequenciesOnly()
      case .high: images.highFrequenciesOnly()
      }
    }
    // Measured once on many images; without a part of the spectrum the scale is another.
    let normalization =
      frequencies == .all
      ? Normalization(mean: [0.5, 0.5, 0.5], std: [0.14, 0.14, 0.14]) : Normalization(measuring: sets[0])
    return DataSplit(train: sets[0], test: sets[1], normalization: normalization)
  }

  /// The class of a pair: each layout meets four different classes, each texture five, each class two pairs that
  /// share neither.
  static func label(layout: Int, texture: Int) -> Int { (2 * layout + [0, 1, 4, 7][texture]) % classCount }

  /// The two pairs of every class.
  static let pairs: [[(layout: Int, texture: Int)]] = {
    var pairs = [[(layout: Int, texture: Int)]](repeating: [], count: classCount)
    for layout in 0..<layoutCount {
      for texture in 0..<textureCount {
        pairs[label(layout: layout, texture: texture)].append((layout, texture))
      }
    }
    return pairs
  }()

  /// Classes take turns, so that every prefix is balanced.
  func images(_ part: String, count: Int) -> ImageSet {
    let imageSize = Self.side * Self.side * 3
    let noise = Self.noise(seed: seed)
    let pixels = [UInt8](unsafeUninitializedCapacity: count * imageSize) { pixels, initialized in
      noise.withUnsafeBufferPointer { noise in
        guard let pixels = pixels.baseAddress, let noise = noise.baseAddress else { return }
        for index in 0..<count {
          var random = RandomStream(seed: seed, "synthetic " + part, index)
          let pair = Self.pairs[index % Self.classCount][random.index(below: 2)]
          let window = random.index(below: Self.noiseLength - imageSize)
          Self.draw(
            layout: Self.layout(pair.layout, &random), texture: Self.texture(pair.texture, &random), &random,
            noise: noise + window, to: pixels + index * imageSize)
        }
        initialized = count * imageSize
      }
    }
    return ImageSet(
      name: "synthetic \(part)", height: Self.side, width: Self.side, channels: 3,
      classNames: (0..<Self.classCount).map { "class \($0)" }, pixels: pixels,
      labels: (0..<count).map { $0 % Self.classCount })
  }

  // MARK: Components

  /// One period in `side` pixels, ±`waveHeight`.
  private static let wave = (0..<side).map {
    Int((Double(waveHeight) * cos(2 * .pi * Double($0) / Double(side))).rounded())
  }
  private static let waveHeight = 128

  /// side × side values, ±`waveHeight`. Each layout is its own mirror image, up to position and polarity, so that
  /// flips keep the class.
  private static func layout(_ kind: Int, _ random: inout RandomStream) -> [Int] {
    // Somewhere within ±3 pixels: the place tells nothing, but the same layouts look alike.
    let dx = random.index(below: 7) + side - 3
    let dy = random.index(below: 7) + side - 3
    let sign = random.next() & 1 == 0 ? 1 : -1
    let slope = random.next() & 1 == 0 ? 1 : side - 1
    var values = [Int](repeating: 0, count: side * side)
    values.withUnsafeMutableBufferPointer { values in
      wave.withUnsafeBufferPointer { wave in
        guard let values = values.baseAddress, let wave = wave.baseAddress else { return }
        var y = 0
        while y < side {
          let row = values + y &* side
          let vertical = wave[(y &+ dy) & 31]
          var x = 0
          while x < side {
            let value =
              switch kind {
              case 0: wave[(x &+ dx) & 31]  // columns
              case 1: vertical  // rows
              case 2: (wave[(x &+ dx) & 31] &* vertical) / waveHeight  // four quarters
              case 3: (wave[(x &+ dx) & 31] &+ vertical) / 2  // one blob
              default: wave[(x &+ dx &+ slope &* y) & 31]  // a diagonal, either way
              }
            row[x] = sign &* value
            x &+= 1
          }
          y &+= 1
        }
      }
    }
    return values
  }

  /// 2 × 4 values (two rows of four columns), ±1, that repeat over the image. Each sums to 0 over any 2 × 2 pixels.
  private static func texture(_ kind: Int, _ random: inout RandomStream) -> [Int] {
    let dx = random.index(below: 4)
    let dy = random.index(below: 2)
    return (0..<8).map { index in
      let (y, x) = (index / 4 + dy, index % 4 + dx)
      let (rows, columns, pairs) = (1 - 2 * (y & 1), 1 - 2 * (x & 1), 1 - (x & 2))
      switch kind {
      case 0: return rows
      case 1: return columns
      case 2: return rows * columns  // checkers
      default: return rows * pairs  // bricks, two wide and one high
      }
    }
  }

  /// pixel = base colour + contrast · layout + strength · texture + noise: at most 36 + 38 + 20 + 24 away from
  /// mid-grey, so nothing is clipped (clipping would mix the two bands).
  private static func draw(
    layout: [Int], texture: [Int], _ random: inout RandomStream, noise: UnsafePointer<Int>,
    to pixels: UnsafeMutablePointer<UInt8>
  ) {
    for channel in 0..<3 {
      let base = 92 + random.index(below: 73)
      let contrast = 20 + random.index(below: 19)
      let strength = 10 + random.index(below: 11)
      layout.withUnsafeBufferPointer { layout in
        texture.withUnsafeBufferPointer { texture in
          guard let layout = layout.baseAddress, let texture = texture.baseAddress else { return }
          var output = pixels + channel
          var index = 0
          while index < side &* side {
            let detail = texture[(index &>> 5 & 1) &* 4 &+ (index & 3)]
            let value =
              base &+ (contrast &* layout[index] &+ 64) &>> 7 &+ strength &* detail
              &+ noise[index &* 3 &+ channel]
            output.pointee = UInt8(truncatingIfNeeded: value)
            output += 3
            index &+= 1
          }
        }
      }
    }
  }

  /// Drawn once, of which every image shows some window: six thousand images' own noise would take longer than all
  /// the rest.
  private static let noiseLength = 1 << 16

  /// Triangular in −24 … 24, standard deviation 10.
  private static func noise(seed: UInt64) -> [Int] {
    var random = RandomStream(seed: seed, "synthetic noise")
    return (0..<noiseLength).map { _ in
      let bits = random.next()
      return Int((bits >> 40) % 25) + Int((bits & 0xff_ffff) % 25) - 24
    }
  }
}
