import Foundation
import Testing

import OctNet
@testable import OctNetData

struct DataLoaderTests {
  /// 23 images of 5 × 4 × 2 with a class each; pixel values tell image, row, column and channel apart.
  static let dataset = ImageSet(
    name: "test", height: 5, width: 4, channels: 2, classNames: (0..<23).map { "\($0)" },
    pixels: (0..<23 * 40).map { (index: Int) -> UInt8 in UInt8(1 + 5 * (index / 40) + 3 * (index % 40)) },
    labels: Array(0..<23))

  static let normalization = Normalization(mean: [0.5, 0.25], std: [0.5, 2])

  struct Copy: Equatable {
    var index: Int
    var labels: [Int32]
    var images: [Float]
  }

  static func loader(
    batchSize: Int = 4, augmentation: Augmentation = .none, seed: UInt64? = nil, limit: Int? = nil
  ) -> BatchLoader {
    BatchLoader(
      dataset: dataset, batchSize: batchSize, normalization: normalization, augmentation: augmentation,
      shuffleSeed: seed, limit: limit)
  }

  static func batches(
    _ loader: BatchLoader, epoch: Int = 0, startingAt first: Int = 0, pause: (Int) -> Void = { _ in }
  ) -> [Copy] {
    var copies: [Copy] = []
    loader.eachBatch(epoch: epoch, startingAt: first) { batch in
      pause(batch.index)
      copies.append(
        Copy(
          index: batch.index, labels: Array(UnsafeBufferPointer(start: batch.labels, count: batch.count)),
          images: Array(UnsafeBufferPointer(start: batch.images, count: batch.count * 40))))
    }
    return copies
  }

  @Test func keepsTheOrderAndNormalizes() {
    let batches = Self.batches(Self.loader())
    #expect(batches.map(\.index) == Array(0..<6))
    #expect(batches.flatMap(\.labels) == Array(0..<23))
    #expect(batches.map(\.labels.count) == [4, 4, 4, 4, 4, 3])
    let expected = Self.dataset.pixels.enumerated().map { (index: Int, byte: UInt8) -> Float in
      let value = Float(byte) / 255
      return index % 2 == 0 ? (value - 0.5) / 0.5 : (value - 0.25) / 2
    }
    let images = batches.flatMap(\.images)
    #expect(images == expected)
  }

  @Test func limitsToTheFirstImages() {
    let loader = Self.loader(seed: 3, limit: 9)
    #expect(loader.batchesPerEpoch == 3 && loader.sampleCount == 9)
    #expect(Self.batches(loader).flatMap(\.labels).sorted() == Array(0..<9))
    #expect(Self.loader(limit: 100).sampleCount == 23)
    #expect(Self.batches(Self.loader(limit: 0)).isEmpty)
  }

  @Test func shufflesByEpochAndSeed() {
    let labels = { (seed: UInt64, epoch: Int) -> [Int32] in
      Self.batches(Self.loader(seed: seed), epoch: epoch).flatMap(\.labels)
    }
    #expect(labels(1, 0) == labels(1, 0))
    #expect(labels(1, 0).sorted() == Array(0..<23))
    #expect(labels(1, 0) != Array(0..<23))
    #expect(labels(1, 0) != labels(1, 1))
    #expect(labels(1, 0) != labels(2, 0))
  }

  /// Every image takes every place about equally often.
  @Test func shuffleIsUniform() {
    let loader = Self.loader(seed: 5)
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 23), count: 23)
    for epoch in 0..<2300 {
      for (place, sample) in loader.sampleOrder(epoch: epoch).enumerated() { counts[sample][place] += 1 }
    }
    // 100 expected, standard deviation 10.
    for count in counts.joined() { #expect(count > 50 && count < 150) }
  }

  @Test func startsAnywhereWithTheSameImages() {
    let loader = Self.loader(augmentation: .standard, seed: 7)
    let all = Self.batches(loader, epoch: 4)
    for first in 0...7 {
      let rest = Self.batches(loader, epoch: 4, startingAt: first)
      #expect(rest == Array(all.dropFirst(first)))
    }
    let other = Self.batches(loader, epoch: 5)
    #expect(other != all)
  }

  /// A slow consumer finds a full ring, a fast one waits for each batch: the images are the same.
  @Test func timingDoesNotMatter() {
    let loader = Self.loader(batchSize: 2, augmentation: .standard, seed: 7)
    let fast = Self.batches(loader)
    #expect(Self.batches(loader) { _ in Thread.sleep(forTimeInterval: 0.003) } == fast)
    #expect(Self.batches(loader) { if $0 % 5 == 0 { Thread.sleep(forTimeInterval: 0.01) } } == fast)
  }

  /// An image is cropped and mirrored the same way in whatever batch it comes.
  @Test func augmentationBelongsToTheImage() {
    let images = { (batchSize: Int) -> [Float] in
      Self.batches(Self.loader(batchSize: batchSize, augmentation: .standard, seed: 2)).flatMap(\.images)
    }
    #expect(images(1) == images(23) && images(1) == images(5))
  }

  @Test func consumesOnTheCallersThread() {
    let caller = Thread.current
    Self.loader().eachBatch(epoch: 0) { _ in #expect(Thread.current === caller) }
  }

  struct Interruption: Error {}

  /// A data set that counts how many of its values are alive, to see that the producer lets go of it.
  final class Witness: Dataset {
    let name = "witness"
    let count = 1000
    let height = 1
    let width = 1
    let channels = 2
    let classNames = ["one"]
    func label(at index: Int) -> Int { 0 }
    func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) {
      destination.update(repeating: 0, count: 2)
    }
  }

  @Test func anErrorEndsTheEpochAndTheProducer() throws {
    weak var witness: Witness?
    var seen: [Int] = []
    do {
      let dataset = Witness()
      witness = dataset
      let loader = BatchLoader(dataset: dataset, batchSize: 1, normalization: Self.normalization)
      #expect(throws: Interruption.self) {
        try loader.forEachBatch(epoch: 0) { batch in
          seen.append(batch.index)
          if batch.index == 2 { throw Interruption() }
        }
      }
    }
    #expect(seen == [0, 1, 2])
    // The thread has stopped working, but may still be on its way out.
    for _ in 0..<2000 where witness != nil { Thread.sleep(forTimeInterval: 0.005) }
    #expect(witness == nil)
  }

  @Test func loadersNest() {
    let loader = Self.loader(seed: 1)
    let expected = Self.batches(loader, epoch: 1)
    loader.eachBatch(epoch: 0) { batch in
      let before = batch.images[0]
      #expect(Self.batches(loader, epoch: 1) == expected)
      #expect(batch.images[0] == before)
    }
  }
}

struct AugmentationTests {
  /// As torchvision has it, in steps: pad with black, cut the window, mirror, normalise.
  static func expected(_ draw: Augmentation.Draw, padding: Int) -> [Float] {
    let set = DataLoaderTests.dataset
    var padded = [[[UInt8]]](
      repeating: .init(repeating: [0, 0], count: 4 + 2 * padding), count: 5 + 2 * padding)
    for y in 0..<5 {
      for x in 0..<4 {
        for c in 0..<2 { padded[y + padding][x + padding][c] = set.pixels[(y * 4 + x) * 2 + c] }
      }
    }
    var result: [Float] = []
    for y in 0..<5 {
      var row = Array(padded[y + padding + draw.top][(padding + draw.left)..<(padding + draw.left + 4)])
      if draw.flip { row.reverse() }
      for pixel in row {
        result.append((Float(pixel[0]) / 255 - 0.5) / 0.5)
        result.append((Float(pixel[1]) / 255 - 0.25) / 2)
      }
    }
    return result
  }

  /// What a server does to an image is what the loader does, to the bit; and floats go the way of bytes.
  @Test func bytesAndFloatsAreNormalizedAlike() {
    let set = DataLoaderTests.dataset
    let bytes = Array(set.pixels.prefix(40))
    let expected = Self.expected(Augmentation.Draw(), padding: 0)
    #expect(DataLoaderTests.normalization(bytes) == expected)
    for draw in [
      Augmentation.Draw(), .init(top: 2, left: -1, flip: true), .init(top: -3, left: 3, flip: false),
    ] {
      let floats = bytes.map { Float($0) / 255 }
      var image = [Float](repeating: .nan, count: 40)
      prepareValues(
        floats, height: 5, width: 4, channels: 2, draw: draw, DataLoaderTests.normalization, to: &image)
      #expect(image == Self.expected(draw, padding: 6), "\(draw)")
    }
  }

  @Test func cropsAndMirrorsBeforeNormalizing() {
    let set = DataLoaderTests.dataset
    let table = DataLoaderTests.normalization.table()
    for top in -6...6 {
      for left in -6...6 {
        for flip in [false, true] {
          let draw = Augmentation.Draw(top: top, left: left, flip: flip)
          var image = [Float](repeating: .nan, count: 40)
          prepareImage(set.pixels, height: 5, width: 4, channels: 2, draw: draw, table: table, to: &image)
          #expect(image == Self.expected(draw, padding: 6), "\(draw)")
        }
      }
    }
  }

  @Test func drawsEveryOffsetAndBothSidesEqually() {
    let augmentation = Augmentation(cropPadding: 2, horizontalFlip: true)
    var counts: [[Int]: Int] = [:]
    for sample in 0..<5000 {
      let draw = augmentation.draw(seed: 1, epoch: 2, sample: sample)
      counts[[draw.top, draw.left, draw.flip ? 1 : 0], default: 0] += 1
    }
    // 100 expected, standard deviation 10.
    #expect(counts.count == 50)
    for (draw, count) in counts {
      #expect(abs(draw[0]) <= 2 && abs(draw[1]) <= 2)
      #expect(count > 55 && count < 145)
    }
  }

  @Test func drawsDependOnSeedEpochAndSample() {
    let draws = { (seed: UInt64, epoch: Int, first: Int) -> [Augmentation.Draw] in
      (first..<first + 20).map { Augmentation.standard.draw(seed: seed, epoch: epoch, sample: $0) }
    }
    #expect(draws(1, 0, 0) == draws(1, 0, 0))
    #expect(draws(1, 0, 0) != draws(2, 0, 0))
    #expect(draws(1, 0, 0) != draws(1, 1, 0))
    #expect(draws(1, 0, 0) != draws(1, 0, 20))
    #expect(Augmentation.none.draw(seed: 1, epoch: 0, sample: 0) == Augmentation.Draw())
  }

  @Test func normalizationIsValidated() throws {
    try DataLoaderTests.normalization.validate(channels: 2)
    #expect(
      throws: OctNetError.configuration(
        key: "mean", "found 2 values, expected one for each of 3 channels")
    ) { try DataLoaderTests.normalization.validate(channels: 3) }
    #expect(throws: OctNetError.configuration(key: "std", "found 0.0, expected a number above 0")) {
      try Normalization(mean: [0], std: [0]).validate(channels: 1)
    }
    #expect(throws: OctNetError.configuration(key: "mean", "found nan, expected a finite number")) {
      try Normalization(mean: [.nan], std: [1]).validate(channels: 1)
    }
  }
}
