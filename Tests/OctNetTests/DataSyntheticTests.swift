import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetReport
@testable import OctNetData
@testable import OctNetCheckpoint

struct SyntheticImagesTests {
  static let images = SyntheticImages(seed: 1).images("test", count: 200)

  @Test func isSeeded() {
    let first = SyntheticImages(seed: 4, trainCount: 30, testCount: 20).split()
    #expect(first.train.count == 30 && first.test.count == 20)
    let pixels = { (seed: UInt64, part: String) -> [UInt8] in
      SyntheticImages(seed: seed).images(part, count: 20).pixels
    }
    #expect(pixels(4, "train") == pixels(4, "train"))
    #expect(pixels(4, "train") != pixels(5, "train"))
    #expect(pixels(4, "train") != pixels(4, "test"))
  }

  @Test func classesAreBalancedInEveryPrefix() {
    #expect(Self.images.labels == (0..<200).map { $0 % 10 })
  }

  /// Knowing the layout leaves four classes, knowing the texture five.
  @Test func neitherPartTellsTheClass() {
    for layout in 0..<5 {
      #expect(Set((0..<4).map { SyntheticImages.label(layout: layout, texture: $0) }).count == 4)
    }
    for texture in 0..<4 {
      #expect(Set((0..<5).map { SyntheticImages.label(layout: $0, texture: texture) }).count == 5)
    }
    #expect(SyntheticImages.pairs.allSatisfy { $0.count == 2 })
  }

  @Test func nothingIsClipped() throws {
    let pixels = Self.images.pixels
    let (least, greatest) = (try #require(pixels.min()), try #require(pixels.max()))
    #expect(least >= 10 && greatest <= 246)
  }

  @Test func defaultNormalizationFits() throws {
    let split = SyntheticImages(trainCount: 500, testCount: 1).split()
    let measured = try Normalization(measuring: split.train)
    for (mean, std) in zip(measured.mean, measured.std) {
      #expect(abs(mean - split.normalization.mean[0]) < 0.02)
      #expect(abs(std - split.normalization.std[0]) < 0.02)
    }
  }

  /// Standard deviation, over an image's green channel, of its part at `cycles` periods down and across.
  static func amplitude(_ set: ImageSet, image: Int, down: Int, across: Int) -> Double {
    var (real, imaginary) = (0.0, 0.0)
    for y in 0..<32 {
      for x in 0..<32 {
        let value = Double(set.pixels[(image * 1024 + y * 32 + x) * 3 + 1])
        let angle = 2 * Double.pi * Double(down * y + across * x) / 32
        real += value * cos(angle)
        imaginary += value * sin(angle)
      }
    }
    return (real * real + imaginary * imaginary).squareRoot() / 1024
  }

  /// Where the five layouts and the four textures have their power.
  static let layoutWaves = [(0, 1), (1, 0), (1, 1), (1, -1)]
  static let textureWaves = [(16, 0), (0, 16), (16, 16), (16, 8)]

  static func strongest(_ set: ImageSet, image: Int, _ waves: [(Int, Int)]) -> Double {
    waves.map { amplitude(set, image: image, down: $0.0, across: $0.1) }.max() ?? 0
  }

  @Test func everyImageHasALayoutAndATexture() {
    for image in 0..<20 {
      #expect(Self.strongest(Self.images, image: image, Self.layoutWaves) > 3)
      #expect(Self.strongest(Self.images, image: image, Self.textureWaves) > 5)
    }
  }

  /// Noise of standard deviation 10 leaves 10 / √1024 ≈ 0.3 of amplitude at every wave.
  @Test func filtersSeparateTheTwo() {
    let few = SyntheticImages(seed: 1).images("test", count: 20)
    let low = few.lowFrequenciesOnly()
    let high = few.highFrequenciesOnly()
    #expect(low.labels == few.labels && high.labels == few.labels)
    for image in 0..<20 {
      #expect(Self.strongest(low, image: image, Self.layoutWaves) > 3)
      #expect(Self.strongest(low, image: image, Self.textureWaves) < 1)
      #expect(Self.strongest(high, image: image, Self.layoutWaves) < 0.1)
      #expect(Self.strongest(high, image: image, Self.textureWaves) > 5)
    }
  }

  @Test func lowFrequenciesAreBlockMeans() {
    let set = ImageSet(
      name: "", height: 3, width: 3, channels: 1, classNames: ["a"],
      pixels: [10, 20, 30, 40, 51, 60, 70, 80, 90], labels: [0])
    #expect(set.lowFrequenciesOnly().pixels == [30, 30, 45, 30, 30, 45, 75, 75, 90])
  }

  @Test func highFrequenciesKeepAlternationOnly() {
    let repeated = { (four: [UInt8]) -> [UInt8] in (0..<8).flatMap { _ in four } }
    let set = ImageSet(
      name: "", height: 4, width: 4, channels: 2, classNames: ["a"], pixels: repeated([90, 200, 110, 200]),
      labels: [0])
    let high = set.highFrequenciesOnly().pixels
    #expect(high == repeated([118, 128, 138, 128]))
  }

  /// Mirrored images belong to the same class, so training may flip: the same waves, as strong as before.
  @Test func layoutsSurviveMirroring() {
    let pairs = [(0, 1), (1, 0), (16, 0), (0, 16), (16, 16), (16, 8)]
    var mirrored = Self.images.pixels
    for row in 0..<10 * 32 {
      for x in 0..<32 {
        for c in 0..<3 { mirrored[(row * 32 + x) * 3 + c] = Self.images.pixels[(row * 32 + 31 - x) * 3 + c] }
      }
    }
    let flipped = ImageSet(
      name: "", height: 32, width: 32, channels: 3, classNames: Self.images.classNames, pixels: mirrored,
      labels: Self.images.labels)
    for image in 0..<10 {
      for (down, across) in pairs {
        let before = Self.amplitude(Self.images, image: image, down: down, across: across)
        #expect(abs(before - Self.amplitude(flipped, image: image, down: down, across: -across)) < 1e-6)
      }
    }
  }
}
