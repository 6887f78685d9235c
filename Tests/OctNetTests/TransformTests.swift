import Testing

@testable import OctNetData
import OctNetSupport

/// Transforms in a row, and in the loader.
struct TransformTests {
  private static let normalization = Normalization(mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3])
  private static let images = SyntheticImages(seed: 4, trainCount: 40, testCount: 10).images(
    "train", count: 40)

  private static let everything = Augmentation(
    cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(),
    autoAugment: AutoAugment(.taWide), colorJitter: ColorJitter(brightness: 0.4, contrast: 0.4, hue: 0.1),
    randomErasing: RandomErasing(probability: 0.5, mode: .pixel))

  private static func values(
    _ augmentation: Augmentation, sample: Int = 3, epoch: Int = 1, turn: Int = 0, seed: UInt64 = 9,
    side: Int = 32
  ) -> [Float] {
    let transform = TrainingTransform(
      augmentation, height: side, width: side, normalization: normalization, seed: seed)
    var result = [Float](repeating: .nan, count: side * side * 3)
    images.pixels.withUnsafeBufferPointer { pixels in
      result.withUnsafeMutableBufferPointer { result in
        guard let source = pixels.baseAddress, let result = result.baseAddress else { return }
        transform(
          PixelView(source + sample * 32 * 32 * 3, width: 32, height: 32), epoch: epoch, sample: sample,
          turn: turn, to: result)
      }
    }
    return result
  }

  @Test func dependsOnSeedEpochImageAndTurnAlone() {
    let first = Self.values(Self.everything)
    #expect(first.allSatisfy { $0.isFinite })
    #expect(first == Self.values(Self.everything))
    #expect(first != Self.values(Self.everything, epoch: 2))
    #expect(first != Self.values(Self.everything, turn: 1))
    #expect(first != Self.values(Self.everything, seed: 10))
  }

  /// One setting does not move what the others draw.
  @Test func eachChangeHasItsOwnStream() {
    let plain = Augmentation(cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop())
    var erasing = plain
    erasing.randomErasing = RandomErasing(probability: 1, scale: 0.1...0.1)
    let (before, after) = (Self.values(plain), Self.values(erasing))
    let erased = zip(before, after).filter { $0 != $1 }
    #expect(erased.allSatisfy { $0.1 == 0 })
    #expect(abs(erased.count - 307) < 60)
  }

  @Test func aCropOfEverythingChangesNothing() {
    let whole = Augmentation(
      cropPadding: 0, horizontalFlip: false, randomResizedCrop: RandomResizedCrop(scale: 1...1, ratio: 1...1))
    #expect(Self.values(whole) == Self.values(.none))
    let flips = Augmentation(
      cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(scale: 1...1, ratio: 1...1))
    let images = (0..<40).map { Self.values(flips, sample: $0) }
    let mirrored = images.enumerated().count { sample, values in
      let plain = Self.values(.none, sample: sample)
      let turned = (0..<32 * 32 * 3).map { (index: Int) -> Float in
        let (row, column, channel) = (index / 96, index % 96 / 3, index % 3)
        return plain[row * 96 + (31 - column) * 3 + channel]
      }
      #expect(values == plain || values == turned)
      return values == turned
    }
    #expect(mirrored > 8 && mirrored < 32)
  }

  /// Crops with padding and flips are the same bits by either way.
  @Test func agreesWithPreparationOnTheWay() {
    let table = Self.normalization.table()
    for sample in 0..<20 {
      var expected = [Float](repeating: 0, count: 32 * 32 * 3)
      Self.images.pixels.withUnsafeBufferPointer { pixels in
        guard let source = pixels.baseAddress else { return }
        prepareImage(
          source + sample * 32 * 32 * 3, height: 32, width: 32, channels: 3,
          draw: Augmentation.standard.draw(seed: 9, epoch: 1, sample: sample), table: table, to: &expected)
      }
      #expect(Self.values(.standard, sample: sample) == expected)
    }
  }

  /// A window shows what is there in the whole; one pixel's rows and columns are read nowhere else.
  @Test(arguments: [(1, 1), (1, 9), (13, 1), (17, 11)]) func windowsAreParts(width: Int, height: Int) {
    for channels in [1, 3] {
      let pixels = (0..<width * height * channels).map { (index: Int) -> UInt8 in
        UInt8(truncatingIfNeeded: index * 37 + index * index)
      }
      for filter in [Interpolation.bilinear, .bicubic] {
        var whole = [UInt8](repeating: 0, count: 12 * 10 * channels)
        var part = [UInt8](repeating: 0, count: 5 * 4 * channels)
        pixels.withUnsafeBufferPointer { pixels in
          guard let base = pixels.baseAddress else { return }
          let view = PixelView(base, width: width, height: height, channels: channels)
          view.resize(
            .init(new_width: 12, new_height: 10, left: 0, top: 0, width: 12, height: 10), filter,
            mirrors: false,
            to: &whole)
          view.resize(
            .init(new_width: 12, new_height: 10, left: 6, top: 3, width: 5, height: 4), filter, mirrors: true,
            to: &part)
        }
        for y in 0..<4 {
          for x in 0..<5 * channels {
            let column = 6 + 4 - x / channels
            #expect(
              part[y * 5 * channels + x] == whole[((y + 3) * 12 + column) * channels + x % channels])
          }
        }
      }
    }
  }

  // MARK: In the loader

  private static func batches(_ loader: BatchLoader, epoch: Int = 0, from first: Int = 0) -> [[Float]] {
    var result: [[Float]] = []
    loader.eachBatch(epoch: epoch, startingAt: first) { batch in
      result.append(Array(UnsafeBufferPointer(start: batch.images, count: batch.count * 32 * 32 * 3)))
    }
    return result
  }

  @Test func theLoaderGoesOnInTheMiddle() {
    let loader = BatchLoader(
      dataset: Self.images, batchSize: 8, normalization: Self.normalization, augmentation: Self.everything,
      shuffleSeed: 9, mixing: BatchMixing(mixupAlpha: 0.3, cutmixAlpha: 1))
    let whole = Self.batches(loader, epoch: 1)
    #expect(whole.count == 5 && Array(whole[2...]) == Self.batches(loader, epoch: 1, from: 2))
    #expect(whole != Self.batches(loader, epoch: 2))
  }

  @Test func repeatsShowAnImageInDifferentWays() {
    var augmentation = Self.everything
    augmentation.repeats = 3
    let loader = BatchLoader(
      dataset: Self.images, batchSize: 8, normalization: Self.normalization, augmentation: augmentation,
      shuffleSeed: 9)
    let order = loader.sampleOrder(epoch: 0)
    #expect(order.count == 40 && Set(order).count == 14)
    #expect((0..<13).allSatisfy { Set(order[3 * $0..<3 * $0 + 3]).count == 1 })
    let images = Self.batches(loader).flatMap { batch in
      stride(from: 0, to: batch.count, by: 3072).map { Array(batch[$0..<$0 + 3072]) }
    }
    for place in 0..<6 {
      #expect(images[place] == Self.values(augmentation, sample: order[place], epoch: 0, turn: place % 3))
    }
  }

  @Test func balancedEpochsHaveAsManyOfEachClass() {
    let labels = (0..<1000).map { $0 < 900 ? 0 : $0 < 990 ? 1 : 2 }
    let set = ImageSet(
      name: "unequal", height: 1, width: 1, channels: 1, classNames: ["a", "b", "c", "none"],
      pixels: [UInt8](repeating: 0, count: 1000), labels: labels)
    let loader = BatchLoader(
      dataset: set, batchSize: 10, normalization: Normalization(mean: [0], std: [1]), shuffleSeed: 2,
      balanced: true)
    var counts = [0, 0, 0]
    for epoch in 0..<10 {
      let order = loader.sampleOrder(epoch: epoch)
      #expect(order.count == 1000 && order == loader.sampleOrder(epoch: epoch))
      for sample in order { counts[labels[sample]] += 1 }
    }
    #expect(counts.allSatisfy { abs(Double($0) - 10_000.0 / 3) < 5 * (10_000.0 / 3).squareRoot() })
  }

  @Test func cutMixExchangesARectangleAndLabelsByItsArea() {
    let plain = BatchLoader(
      dataset: Self.images, batchSize: 5, normalization: Self.normalization, shuffleSeed: 9)
    let mixed = BatchLoader(
      dataset: Self.images, batchSize: 5, normalization: Self.normalization, shuffleSeed: 9,
      mixing: BatchMixing(cutmixAlpha: 1))
    let before = Self.batches(plain)
    mixed.eachBatch(epoch: 0) { batch in
      let box = CutMix(alpha: 1).box(seed: 9, epoch: 0, batch: batch.index, height: 32, width: 32)
      let area = Float(box.width * box.height) / 1024
      #expect(abs((batch.mixed?.share ?? -1) - (1 - area)) < 1e-6)
      for image in 0..<5 {
        #expect(batch.mixed?.labels[image] == batch.labels[4 - image])
        for pixel in 0..<1024 {
          let (x, y) = (pixel % 32, pixel / 32)
          let isInside =
            x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height
          let source = (isInside ? 4 - image : image) * 3072 + pixel * 3
          let found = batch.images[image * 3072 + pixel * 3]
          guard found == before[batch.index][source] else {
            Issue.record("image \(image), pixel \(pixel)")
            return
          }
        }
      }
    }
  }

  @Test func refusesWhatDoesNotFit() {
    for (augmentation, key) in [
      (
        Augmentation(cropPadding: 4, horizontalFlip: false, randomResizedCrop: RandomResizedCrop()),
        "augmentation"
      ),
      (
        Augmentation(
          cropPadding: 0, horizontalFlip: false, randomResizedCrop: RandomResizedCrop(scale: 0...1)),
        "augmentation.randomResizedCrop.scale"
      ),
      (
        Augmentation(cropPadding: 0, horizontalFlip: false, autoAugment: AutoAugment(.ra, magnitude: 31)),
        "augmentation.autoAugment.magnitude"
      ),
      (
        Augmentation(cropPadding: 0, horizontalFlip: false, autoAugment: AutoAugment(.taWide, ops: 2)),
        "augmentation.autoAugment"
      ),
      (
        Augmentation(cropPadding: 0, horizontalFlip: false, colorJitter: ColorJitter(hue: 0.6)),
        "augmentation.colorJitter.hue"
      ),
      (
        Augmentation(cropPadding: 0, horizontalFlip: false, randomErasing: RandomErasing(probability: 1.5)),
        "augmentation.randomErasing.probability"
      ),
      (Augmentation(cropPadding: 0, horizontalFlip: false, repeats: 0), "augmentation.repeats"),
    ] {
      #expect {
        try augmentation.validate()
      } throws: { error in
        guard case OctNetError.configuration(let found, _) = error else { return false }
        return found == key
      }
    }
    let twoChannels = ImageSet(
      name: "two", height: 1, width: 1, channels: 2, classNames: ["a"], pixels: [0, 0], labels: [0])
    #expect(throws: OctNetError.self) { try Self.everything.validate(for: twoChannels) }
    #expect(throws: Never.self) { try Augmentation.standard.validate(for: twoChannels) }
  }
}
